// Enqueues a task at a deployment that asks who calls: behind Identity-Aware Proxy, or with
// PRODUCER_AUTH=oidc. The ID token comes from the credentials that google-auth-library finds: on
// Google Cloud the service account of the machine, elsewhere GOOGLE_APPLICATION_CREDENTIALS.
import { GoogleAuth } from 'google-auth-library';

const { TARGET_URL, TARGET_AUDIENCE } = process.env;
if (!TARGET_URL || !TARGET_AUDIENCE) {
  console.error(
    'Set TARGET_URL, such as https://my-project.appspot.com, and TARGET_AUDIENCE: the OAuth client ' +
      'id of the proxy, or the PRODUCER_AUDIENCE of the deployment.',
  );
  process.exit(1);
}

// One client for all requests: it keeps its token until that is about to expire.
const client = await new GoogleAuth().getIdTokenClient(TARGET_AUDIENCE);

const { status, data } = await client.request<unknown>({
  url: new URL('/add_task_app_engine', TARGET_URL),
  method: 'POST',
  data: { payload: process.argv[2] ?? 'Hello from the client' },
  // A refusal is an answer to be shown; its error would hold the token.
  validateStatus: () => true,
});

console.log(status, JSON.stringify(data, undefined, 2));
process.exitCode = status === 202 ? 0 : 1;
