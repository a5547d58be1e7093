import { expect, test } from '@jest/globals';
import { spawn } from 'node:child_process';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { engineSecret } from '../../src/host/engine-secret.js';
import { signingKey } from '../../src/host/signing-key.js';

async function inFolder(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'engine-secret-'));
  try {
    await body(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

test('the secret is 32 bytes in hex, the same at every start', async () => {
  await inFolder(async (folder) => {
    const secret = await engineSecret(folder);
    expect(secret).toMatch(/^[0-9a-f]{64}$/);
    expect(await engineSecret(folder)).toBe(secret);
    expect((await readFile(join(folder, 'engine-secret'), 'utf8')).trim()).toBe(secret);
  });
});

test('processes that start at once end with one secret', async () => {
  await inFolder(async (folder) => {
    const program = `
      import { engineSecret } from '${new URL('../../src/host/engine-secret.ts', import.meta.url).href}';
      console.log('ready');
      process.stdin.once('end', async () => console.log(await engineSecret('${folder}'))).resume();`;
    const hook = fileURLToPath(new URL('../support/run-typescript.mjs', import.meta.url));
    const processes = Array.from({ length: 4 }, () => {
      const options = ['--import', hook, '--input-type=module', '--eval', program];
      const child = spawn(process.execPath, options, { stdio: ['pipe', 'pipe', 'inherit'] });
      return { child, lines: createInterface(child.stdout)[Symbol.asyncIterator]() };
    });
    for (const { lines } of processes) expect(await lines.next()).toMatchObject({ value: 'ready' });
    for (const { child } of processes) child.stdin.end();
    const secrets = await Promise.all(
      processes.map(async ({ lines }) => (await lines.next()).value),
    );
    const kept = await engineSecret(folder);
    expect(secrets).toEqual([kept, kept, kept, kept]);
  });
});

test('a secret cut short is refused', async () => {
  await inFolder(async (folder) => {
    const secret = await engineSecret(folder);
    await writeFile(join(folder, 'engine-secret'), secret.slice(1));
    await expect(engineSecret(folder)).rejects.toMatchObject({
      code: 'FAILED_PRECONDITION',
      message: expect.stringMatching(/engine-secret doesn't hold the engine's secret: delete it/),
    });
  });
});

test('the signing key is the same at every start', async () => {
  await inFolder(async (folder) => {
    const key = await signingKey(folder);
    expect(key).toMatch(/^-----BEGIN PRIVATE KEY-----/);
    expect(await signingKey(folder)).toBe(key.trim());
  });
});

test('a broken signing key is refused, and one that others may read', async () => {
  await inFolder(async (folder) => {
    const path = join(folder, 'oidc-key.pem');
    const key = await signingKey(folder);
    await writeFile(path, key.slice(0, 400));
    await expect(signingKey(folder)).rejects.toMatchObject({
      message: `${path} doesn't hold an RSA key for the engine's tokens: delete it, and the next start makes a new one`,
    });
    await writeFile(path, key);
    await chmod(path, 0o644);
    await expect(signingKey(folder)).rejects.toMatchObject({
      message: `${path} is open to other users (mode 0644): run chmod 600 ${path}`,
    });
  });
});

test('in memory nothing is kept', async () => {
  expect(await engineSecret(':memory:')).not.toBe(await engineSecret(':memory:'));
  expect(await signingKey(':memory:')).not.toBe(await signingKey(':memory:'));
});
