/** Runs a `curl` line of a document against an app, and makes answers comparable. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

/** What stands for the app in our documents. */
const DOCUMENTED = 'http://127.0.0.1:8080';

export interface CurlAnswer {
  readonly status: string;
  readonly body: string;
}

/** @param url the app's address, which takes the place of the documented one */
export async function curl(command: string, url: string): Promise<CurlAnswer> {
  if (!command.includes(DOCUMENTED)) throw new Error(`${command} calls another server.`);
  const line = `${command.replace(DOCUMENTED, url)} -sS -w '\\n%{http_code}'`;
  const { stdout } = await promisify(execFile)('sh', ['-c', line]);
  const end = stdout.lastIndexOf('\n');
  return { status: stdout.slice(end + 1), body: stdout.slice(0, end).replaceAll(url, DOCUMENTED) };
}

/** A JSON body with what differs from run to run made the same. */
export function comparable(body: string): unknown {
  return JSON.parse(
    body
      .replace(/"\d{4}-\d\d-\d\dT[\d:]{8}(\.\d{3,6})?Z"/g, (_, fraction?: string) =>
        fraction ? '"(to the microsecond)"' : '"(to the second)"',
      )
      .replace(/\/tasks\/\d{15,}"/g, '/tasks/(made)"'),
  );
}
