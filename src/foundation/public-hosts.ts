/** Tells names that mean the same host to everybody from those that depend on who asks, or that anybody can point anywhere. */

/** Letters of a host as the URL parser leaves them, in at least two labels, the last no number. */
const NAME = /^(?=.{1,253}$)(?:[a-z0-9_-]{1,63}\.)+(?=[^.]*[a-z])[a-z0-9-]{2,63}$/;

/** What they mean is decided by a machine, a network or a cloud. */
const INSIDE = [
  ...['localhost', 'localdomain', 'local', 'internal', 'intranet', 'lan', 'home.arpa', 'svc'],
  'metadata.goog',
];

/** Any address that is written into a name below these is what the name means. */
const WRITTEN_ADDRESS = [
  ...['nip.io', 'sslip.io', 'xip.io', 'traefik.me', 'localtest.me', 'lvh.me', 'vcap.me'],
];

/** Anybody can have a name below these. */
const ANYBODYS = [
  ...['run.app', 'appspot.com', 'cloudfunctions.net', 'web.app', 'firebaseapp.com', 'hosted.app'],
  ...['cloudshell.dev', 'cloudworkstations.dev', 'googleusercontent.com', 'translate.goog'],
  ...['amazonaws.com', 'awsapprunner.com', 'cloudfront.net', 'azurewebsites.net', 'windows.net'],
  ...['azure.com', 'azurecontainerapps.io', 'azurefd.net', 'azureedge.net', 'github.io'],
  ...['herokuapp.com', 'vercel.app', 'netlify.app', 'pages.dev', 'workers.dev', 'fly.dev'],
  ...['onrender.com', 'deno.dev', 'ngrok.io', 'ngrok.app', 'ngrok-free.app', 'trycloudflare.com'],
];

/** @param host as `URL.hostname` gives it */
export function isPublicName(host: string): boolean {
  return NAME.test(host) && !isBelow(host, INSIDE) && !isBelow(host, WRITTEN_ADDRESS);
}

/** Whether names below it belong to one owner, as far as lists can tell. */
export function hasOneOwner(host: string): boolean {
  return !isBelow(host, ANYBODYS);
}

function isBelow(host: string, suffixes: readonly string[]): boolean {
  return suffixes.some((suffix) => host === suffix || host.endsWith(`.${suffix}`));
}
