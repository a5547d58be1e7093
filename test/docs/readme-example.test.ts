/** README.md's example compiles as it stands, in a project that `nest new` made. */
import { expect, test } from '@jest/globals';
import { Markdown } from '../support/markdown.js';
import { compileUserCode } from '../support/user-code.js';

const [example = ''] = new Markdown('README.md').code('ts');

test.each([
  ['strict', { strict: true }],
  ['not strict', { strict: false, strictNullChecks: true }],
])(
  '%s',
  (_, options) => {
    const [compiled] = compileUserCode([example], options);
    expect(compiled?.problems).toEqual([]);
    // Nest's pipes, and its injector, go by these.
    expect(compiled?.emitted).toContain(
      '__metadata("design:paramtypes", [SendEmail, TaskContext])',
    );
    expect(compiled?.emitted).toContain('__metadata("design:paramtypes", [Tasks])');
  },
  60_000,
);
