/** Makes of a task the one that takes its place: the same request, with other headers. */
import type { Task, TaskInput } from '../../engine/cloud-tasks-api.js';

type Headers = Readonly<Record<string, string>>;

/** Which the service appends to App Engine's tasks each time one is created. */
const APP_ENGINE_AGENT = /\s*AppEngine-Google; \(\+http:\/\/code\.google\.com\/appengine\)$/;

/**
 * @param task in the view FULL
 * @param change given its headers, those that the service adds left out
 */
export async function nextTask(
  task: Task,
  change: (headers: Headers) => Headers | Promise<Headers>,
): Promise<TaskInput> {
  const { httpRequest, appEngineHttpRequest, dispatchDeadline } = task;
  const deadline = dispatchDeadline === undefined ? {} : { dispatchDeadline };
  if (httpRequest) {
    const headers = { ...(await change(own(httpRequest.headers))) };
    return { httpRequest: { ...httpRequest, headers }, ...deadline };
  }
  if (!appEngineHttpRequest) throw new Error(`Task ${task.name} has no target.`);
  const { host: _, ...appEngineRouting } = appEngineHttpRequest.appEngineRouting;
  const headers = { ...(await change(own(appEngineHttpRequest.headers))) };
  return {
    appEngineHttpRequest: { ...appEngineHttpRequest, appEngineRouting, headers },
    ...deadline,
  };
}

function own(headers: Headers): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) => {
      if (name.toLowerCase() === 'content-length') return [];
      if (name.toLowerCase() !== 'user-agent') return [[name, value]];
      if (value === 'Google-Cloud-Tasks') return [];
      const agent = value.replace(APP_ENGINE_AGENT, '');
      return agent === '' ? [] : [[name, agent]];
    }),
  );
}
