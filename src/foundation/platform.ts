/** Tells on which of Google's platforms this process runs, by what only the platform sets. */

export type Platform = 'app-engine-standard' | 'app-engine-flexible' | 'cloud-run';

/**
 * No option says this: a guard that believes headers is only safe where the platform's front end
 * strips forged ones, whatever somebody has configured.
 */
export function platformOf(
  // eslint-disable-next-line no-restricted-properties -- a fact of the process, like its port: an option that says where it runs could be wrong
  variables: Readonly<Record<string, string | undefined>> = process.env,
): Platform | undefined {
  // First: with GAE_ENV set by hand, Cloud Run would pass for App Engine.
  if (variables['K_SERVICE']) return 'cloud-run';
  const environment = variables['GAE_ENV'];
  if (!environment) return undefined;
  return environment === 'standard' ? 'app-engine-standard' : 'app-engine-flexible';
}
