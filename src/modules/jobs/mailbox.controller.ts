/** Shows whoever develops the mails that would have been sent. */
import { Controller, Get, Inject, NotFoundException, Param, Req, Res } from '@nestjs/common';
import type { Request, Response } from 'express';
import { CloudTasksError } from '../../engine/errors.js';
import { isLoopback } from '../../foundation/loopback.js';
import type { Mailbox, StoredMail } from '../../foundation/mail.js';
import { isLocalCaller } from '../producer/local-caller.js';
import type { JobsMail } from './jobs-mail.js';
import { JOBS_MAIL } from './jobs-mail.js';
import type { JobsOptions } from './jobs-options.js';
import { JOBS_OPTIONS } from './jobs-options.js';
import { listPage, MAIL_POLICY, mailPage, PAGE_POLICY } from './mailbox-page.js';

@Controller('mailbox')
export class MailboxController {
  constructor(
    @Inject(JOBS_MAIL) private readonly mail: JobsMail,
    @Inject(JOBS_OPTIONS) private readonly options: JobsOptions,
  ) {}

  /** As a page, or as JSON for whoever asks for that. */
  @Get()
  async list(@Req() request: Request, @Res() response: Response): Promise<void> {
    const mails = await this.mailbox(request).list();
    response.vary('Accept');
    if (request.accepts(['html', 'json']) === 'json') {
      const listed = mails.map(({ id, to, subject, date, messageId }) => ({
        id,
        to,
        subject,
        date,
        messageId,
      }));
      response.json({ mails: listed });
    } else {
      answer(response, 'text/html', PAGE_POLICY, listPage(mails));
    }
  }

  @Get(':id')
  async show(
    @Req() request: Request,
    @Param('id') id: string,
    @Res() response: Response,
  ): Promise<void> {
    answer(response, 'text/html', PAGE_POLICY, mailPage(await this.read(request, id)));
  }

  @Get(':id/html')
  async html(
    @Req() request: Request,
    @Param('id') id: string,
    @Res() response: Response,
  ): Promise<void> {
    const { html } = await this.read(request, id);
    if (html === undefined) throw new NotFoundException('This mail is plain text.');
    answer(response, 'text/html', MAIL_POLICY, html);
  }

  @Get(':id/source')
  async source(
    @Req() request: Request,
    @Param('id') id: string,
    @Res() response: Response,
  ): Promise<void> {
    const source = await this.mailbox(request).source(id);
    if (!source) throw new NotFoundException('There is no such mail.');
    answer(response, 'text/plain', MAIL_POLICY, Buffer.from(source));
  }

  private async read(request: Request, id: string): Promise<StoredMail> {
    const mail = await this.mailbox(request).read(id);
    if (!mail) throw new NotFoundException('There is no such mail.');
    return mail;
  }

  /** Mails hold what only their receivers should read: passwords to be reset, and their names. */
  private mailbox(request: Request): Mailbox {
    const { mailbox } = this.mail;
    if (!mailbox || !this.options.mail.shown) {
      throw new NotFoundException(
        'There is no mailbox here: only without SMTP_URL, where the app listens on loopback.',
      );
    }
    const isForwarded = ['forwarded', 'via', 'x-forwarded-for'].some(
      (name) => request.headers[name] !== undefined,
    );
    const address = (request.socket.remoteAddress ?? '').replace(/^::ffff:/i, '');
    if (isForwarded || !isLoopback(address) || !isLocalCaller(request)) {
      throw new CloudTasksError(
        'PERMISSION_DENIED',
        'The mailbox is for programs of this machine: call localhost or 127.0.0.1.',
      );
    }
    return mailbox;
  }
}

function answer(response: Response, type: string, policy: string, body: string | Buffer): void {
  response
    .setHeader('Content-Type', `${type}; charset=utf-8`)
    .setHeader('Content-Security-Policy', policy)
    .setHeader('Referrer-Policy', 'no-referrer')
    .setHeader('Cache-Control', 'no-store')
    .end(body);
}
