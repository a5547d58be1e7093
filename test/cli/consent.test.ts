/** Nothing is changed on Google without a yes, and where nobody can be asked, not without --yes. */
import { expect, test } from '@jest/globals';
import { PassThrough } from 'node:stream';
import { askForConsent } from '../../src/cli/consent.js';

function terminal(isTTY: boolean) {
  const input = Object.assign(new PassThrough(), { isTTY });
  const output = Object.assign(new PassThrough(), { isTTY });
  return { input, output };
}

test.each(['yes\n', ' YES \n'])('%j is a yes', async (answer) => {
  const { input, output } = terminal(true);
  const asked = askForConsent('Change 2 queues?', { input, output });
  input.write(answer);
  await asked;
  expect(String(output.read())).toContain('Change 2 queues? [yes/no] ');
});

test.each(['no\n', 'y\n', '\n', 'yes, please\n'])('%j is none', async (answer) => {
  const { input, output } = terminal(true);
  const asked = askForConsent('Change?', { input, output });
  input.write(answer);
  await expect(asked).rejects.toThrow('nothing was changed');
});

test('neither is the end of the input', async () => {
  const { input, output } = terminal(true);
  const asked = askForConsent('Change?', { input, output });
  input.end();
  await expect(asked).rejects.toThrow('nothing was changed');
});

test('nobody is asked where nobody could answer', async () => {
  await expect(askForConsent('Change 2 queues?', terminal(false))).rejects.toThrow(
    'Change 2 queues? Nothing was changed, since nobody can be asked here: say --yes',
  );
});
