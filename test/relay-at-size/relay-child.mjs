// An app with a relay, of the built package, as a process of its own that is told what to do by its
// parent. RELAY_PROCESS: its options, as JSON.
import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { readdirSync } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setInterval } from 'node:timers';

// By its address, since it is there only once it is built.
const { Relay, RelayModule, TasksModule } = await import(
  new URL('../../dist/index.js', import.meta.url).href
);
const { tasks, relay, port = 0 } = JSON.parse(process.env.RELAY_PROCESS);

class AppModule {}
Module({ imports: [TasksModule.forRoot(tasks), RelayModule.forRoot(relay)] })(AppModule);

const app = await NestFactory.create(AppModule, { logger: false, abortOnError: false });
await app.listen(port, '127.0.0.1');
const delay = monitorEventLoopDelay({ resolution: 5 });
delay.enable();

const answers = {
  enqueue: ({ calls }) =>
    Promise.all(calls.map(({ request, options }) => app.get(Relay).call(request, options))),
  status: ({ ids }) =>
    Promise.all(
      ids.map((id) =>
        app
          .get(Relay)
          .status(id)
          .catch(({ code }) => ({ state: code })),
      ),
    ),
  /** Of the time since it was asked last. */
  stats: () => {
    globalThis.gc?.();
    const { rss, heapUsed } = process.memoryUsage();
    const p99 = delay.percentile(99) / 1e6;
    delay.reset();
    return { rss, heapUsed, p99, files: readdirSync('/proc/self/fd').length };
  },
};

process.on('message', ({ id, verb, ...argument }) => {
  Promise.resolve(answers[verb](argument)).then(
    (value) => process.send?.({ id, value }),
    (error) => process.send?.({ id, error: String(error) }),
  );
});
process.on('SIGTERM', () => {
  // As the deployed app's server does: callers that keep their connection aren't waited for.
  setInterval(() => app.getHttpServer().closeIdleConnections(), 50);
  void app.close().then(() => process.exit(0));
});
process.on('disconnect', () => process.exit(1));
process.send?.({ url: await app.getUrl() });
