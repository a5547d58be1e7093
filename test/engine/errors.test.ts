/** The catalogue of errors: whole, documented, and the only place where the engine has any. */
import { describe, expect, test } from '@jest/globals';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ERRORS, refusal } from '../../src/engine/error-catalogue.js';

const ROOT = join(import.meta.dirname, '../..');

interface Documented {
  readonly code: string;
  readonly text: string;
  readonly advice: string;
}

/** What docs/errors.md has: `### NAME`, the code, the text in a fence, and what to do. */
function documented(): Map<string, Documented> {
  const page = readFileSync(join(ROOT, 'docs/errors.md'), 'utf8');
  const sections = page.split(/^### /m).slice(1);
  return new Map(
    sections.map((section) => {
      const [, name = '', code = '', text = '', advice = ''] =
        /^(\S+)\n\n([A-Z_]+)(?:, recorded)?\n\n```text\n(.*)\n```\n\n([^\n]+)/.exec(section) ?? [];
      return [name || section.slice(0, 40), { code, text, advice }];
    }),
  );
}

describe('docs/errors.md', () => {
  test('tells of every error, and of no other', () => {
    expect([...documented().keys()].sort()).toEqual(Object.keys(ERRORS).sort());
  });

  test.each(Object.entries(ERRORS))(
    'has the code and the text of %s, and advice',
    (name, entry) => {
      expect(documented().get(name)).toEqual({ ...entry, advice: expect.stringMatching(/\.$/) });
    },
  );
});

test('what the engine, gRPC and REST refuse is in the catalogue', () => {
  const files = [
    ...filesIn('src/engine').filter((file) => !/\/errors?(-catalogue)?\.ts$/.test(file)),
    ...filesIn('src/adapters').filter((file) => /\/(grpc|rest|wire)[-.][^/]*$/.test(file)),
  ];
  const elsewhere = files.filter((file) =>
    /\b(invalidArgument|notFound)\(|new CloudTasksError\(/.test(readFileSync(file, 'utf8')),
  );
  expect(files.length).toBeGreaterThan(20);
  expect(elsewhere).toEqual([]);
});

test('every error of the catalogue is one that is refused with', () => {
  const source = ['src/engine', 'src/adapters']
    .flatMap(filesIn)
    .filter((file) => !file.endsWith('error-catalogue.ts'))
    .map((file) => readFileSync(file, 'utf8'))
    .join('\n');
  const unused = Object.keys(ERRORS).filter((name) => !source.includes(`'${name}'`));
  expect(unused).toEqual([]);
});

describe('an error', () => {
  test('has its blanks filled in, with whatever they are', () => {
    const error = refusal('OTHER_QUEUE', { parent: '$& {queue}', queue: 'b', field: 'task.name' });
    expect(error).toMatchObject({
      code: 'INVALID_ARGUMENT',
      message:
        "The queue name from request ('$& {queue}') must be the same as the queue name in the named task ('b').",
      field: 'task.name',
      details: [],
    });
  });

  test('has the help that production gives', () => {
    expect(refusal('QUEUE_NAME', {}).details).toEqual([
      {
        '@type': 'type.googleapis.com/google.rpc.Help',
        links: [
          {
            description: 'Definition of queue name',
            url: 'https://cloud.google.com/tasks/docs/reference/rest/v2/projects.locations.queues#Queue.FIELDS.name',
          },
        ],
      },
    ]);
    expect(refusal('PROJECT_DENIED', { project: 'p' }).details).toMatchObject([
      { reason: 'CONSUMER_INVALID', metadata: { consumer: 'projects/p' } },
      { locale: 'en-US', message: 'Permission denied on resource project p.' },
      { links: [{ description: 'Google developers console' }] },
    ]);
  });
});

function filesIn(folder: string): string[] {
  return readdirSync(join(ROOT, folder)).map((name) => join(ROOT, folder, name));
}
