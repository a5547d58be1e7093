/** Tells whoever opens the app's address what it is, and what can be called. */
import { Controller, Get } from '@nestjs/common';

@Controller()
export class HomeController {
  @Get()
  home(): object {
    return {
      name: 'nest-cloud-tasks',
      description: 'Background work for NestJS on Google Cloud Tasks.',
      endpoints: {
        'POST /add_task_app_engine':
          'Creates a task for a handler of this app, or of another App Engine service. JSON, all optional: payload, relativeUri, service, version, instance, queue, taskId, countdown or scheduleTime, dispatchDeadline, method, headers.',
        'POST /add_task_external':
          'Creates a task for an allowed URL elsewhere. JSON: url, and optionally payload, queue, taskId, countdown or scheduleTime, dispatchDeadline, method, headers.',
        'POST /do_external_task': 'Another name of /add_task_external.',
        'POST /emails':
          'Enqueues a mail. JSON: to, subject, one of body, html and template, and optionally data, options.',
        'POST /add_task_relay':
          'Creates a task that the relay carries out: a call of up to 24 hours, made once. JSON: url, and optionally method, headers, payload or payloadBase64, contentType, timeout, callbackUrl, idempotencyKey, onCallerGone, retry, queue, taskId, countdown or scheduleTime, dispatchDeadline, maxAttempts.',
        'GET /relay/:id': 'What became of a relayed call.',
        'DELETE /relay/:id': 'Cancels a relayed call.',
        'POST /webhooks':
          'Enqueues a webhook. JSON: url, payload, and optionally headers, options.',
        'POST /syncs': 'Enqueues the sync of an entity. JSON: entity_id, and optionally options.',
        'GET /task_status/:queue/:id':
          'What became of a task: scheduled, running, succeeded, failed or dead-lettered.',
        'POST /tasks/example': 'Logs its payload. Only for verified tasks.',
        'POST /relay': 'Makes the call that a task asks for. Only for verified tasks.',
        'POST /relay/callback': 'Delivers a signed callback. Only for verified tasks.',
        'POST /event-display': 'Logs and echoes its body, of any type. Only for verified tasks.',
        'POST /tasks/send-email': 'Sends a mail, once. Only for verified tasks.',
        'POST /tasks/process-webhook': 'Delivers a webhook, signed. Only for verified tasks.',
        'POST /tasks/sync-data': 'Brings an entity up to date. Only for verified tasks.',
        'POST /tasks/cleanup': 'Deletes what was kept for long enough. Only for verified tasks.',
        'GET /mailbox':
          'Mails that were kept instead of sent, where there is no SMTP_URL. Only for this machine.',
        'POST /_cron/:name':
          "Makes the task of a schedule. Only for Cloud Scheduler, with a token of the app's account.",
        'GET /_cron/:name': "The same for App Engine's cron.yaml, and only there.",
        'GET /healthz': 'Whether the process lives.',
        'GET /readyz': 'Whether the process should be sent work.',
        'GET /_ah/warmup':
          'Says that an instance is ready: App Engine asks, as at /_ah/start and /_ah/stop.',
      },
    };
  }
}
