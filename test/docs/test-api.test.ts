/** docs/test-api.md shows what the test API answers. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { EngineProcess } from '../support/engine-process.js';
import { startEngineProcess } from '../support/engine-process.js';
import { Markdown } from '../support/markdown.js';

/** The engine's address in the document. */
const DOCUMENTED = 'http://127.0.0.1:8123';

const doc = new Markdown('docs/test-api.md');

let engine: EngineProcess;

beforeAll(async () => {
  engine = await startEngineProcess('--test-api');
});

afterAll(() => engine.end());

interface Example {
  readonly command: string;
  readonly status: string;
  readonly body: string;
}

const examples = doc.code('console').map((block): Example => {
  const [command = '', status = '', ...body] = block.split('\n');
  return { command: command.replace(/^\$ /, ''), status, body: body.join('\n') };
});

/** The body with what differs from run to run made the same. */
function comparable(body: string): unknown {
  return JSON.parse(
    body
      .replaceAll(engine.url, DOCUMENTED)
      .replace(/"\d{4}-\d\d-\d\dT[\d:.]+Z"/g, '"(time)"')
      .replace(/"duration": "[\d.]+s"/g, '"duration": "(time)"')
      .replace(/"X-CloudTasks-TaskETA": "[\d.]+"/g, '"X-CloudTasks-TaskETA": "(time)"'),
  );
}

test.each(examples)('$command', async ({ command, status, body }) => {
  const soon = new Date(Date.now() + 20 * 60_000).toISOString();
  const line = command.replaceAll(DOCUMENTED, engine.url).replace('(in 20 minutes)', soon);
  const { stdout } = await promisify(execFile)('sh', ['-c', `${line} -sS -w '\\n%{http_code}'`]);
  const end = stdout.lastIndexOf('\n');
  expect(stdout.slice(end + 1)).toBe(status);
  // What the ordinary API answers is documented elsewhere.
  if (body) expect(comparable(stdout.slice(0, end))).toMatchObject(comparable(body) as object);
});

test('its links lead somewhere', () => {
  expect(doc.brokenLinks()).toEqual([]);
});
