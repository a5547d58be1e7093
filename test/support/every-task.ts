/** All the tasks of a queue, page by page. */
import type { CloudTasksApi, Task } from '../../src/engine/cloud-tasks-api.js';

export async function everyTask(
  api: Pick<CloudTasksApi, 'listTasks'>,
  parent: string,
): Promise<Task[]> {
  const tasks: Task[] = [];
  let pageToken: string | undefined;
  do {
    const page = await api.listTasks({
      parent,
      responseView: 'FULL',
      ...(pageToken === undefined ? {} : { pageToken }),
    });
    tasks.push(...page.tasks);
    pageToken = page.nextPageToken;
  } while (pageToken !== undefined);
  return tasks;
}
