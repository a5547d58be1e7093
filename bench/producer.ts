/** Requests a second of POST /add_task_external, against a bare Nest POST echo of the same body. */
import { fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { listeningAt } from './listening.js';
import { ceiling, requestsPerSecond } from './load.js';
import { compare, writeResults } from './measure.js';

/** Every caller waits for a commit to disk: with many of them, each commit has company. */
const LOAD = { seconds: 5, connections: 256 };
/** An hour ahead, so that what is measured is taking tasks, not also delivering them. */
const BODY = JSON.stringify({
  url: 'http://127.0.0.1:9/target',
  payload: { to: 'someone@example.com', subject: 'hello', body: 'x'.repeat(100) },
  countdown: '1h',
});

const most = await ceiling(LOAD);
console.log(`The load generator reaches ${Math.round(most)} requests/s against an empty server.`);

const echo = fork(new URL('./echo-child.js', import.meta.url));
const [{ url: echoUrl }] = (await once(echo, 'message')) as [{ url: string }];
const dataDir = await mkdtemp(join(tmpdir(), 'nest-cloud-tasks-bench-'));
const app = spawn(process.execPath, ['dist-bench/src/main.js'], {
  env: { ...process.env, PORT: '0', ENGINE_PORT: '0', DATA_DIR: dataDir },
  stdio: ['ignore', 'pipe', 'inherit'],
});
const appUrl = await listeningAt(app);

const figures = await compare({
  name: 'Producer: POST /add_task_external, durable before it is answered',
  unit: 'requests/s',
  baseline: 'a bare Nest POST echo',
  floor: 0.5,
  rounds: 3,
  measureBaseline: () => requestsPerSecond({ ...LOAD, url: echoUrl, body: BODY }),
  measure: () => requestsPerSecond({ ...LOAD, url: `${appUrl}/add_task_external`, body: BODY }),
});
echo.kill();
app.kill();
await once(app, 'exit');
await rm(dataDir, { recursive: true });
await writeResults('producer', { ...figures, generatorCeiling: most });
