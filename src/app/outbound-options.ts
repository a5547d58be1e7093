/** What the settings allow to be called: of the app's policy, and of what the doctor says about it. */
import type { Settings } from '../config.js';
import type { OutboundOptions } from '../modules/outbound/outbound-options.js';

export function outboundOptions(app: Settings) {
  const { backend, serviceUrl, auth, producer } = app;
  const { origins } = app.external;
  const services = backend.kind === 'embedded' ? Object.values(backend.appEngineHosts) : [];
  const audiences = [
    auth.audience,
    serviceUrl,
    'audience' in producer ? producer.audience : undefined,
  ];
  return {
    rules: origins === 'loopback' ? [] : origins,
    loopback: origins === 'loopback' ? 'any' : backend.kind === 'embedded' ? 'by-rule' : 'refused',
    handlers: [...services, ...(serviceUrl === undefined ? [] : [serviceUrl])],
    ownAudiences: audiences.filter((audience) => audience !== undefined),
    ...(app.outboundFile === undefined ? {} : { file: app.outboundFile }),
  } satisfies OutboundOptions;
}
