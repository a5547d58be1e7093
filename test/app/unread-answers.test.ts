/** Who takes in something now and then keeps the connection; who takes in nothing does not. */
import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import { EventEmitter } from 'node:events';
import type { Server } from 'node:http';
import { endUnread } from '../../src/app/unread-answers.js';

/** As much of a connection as is looked at. */
class Connection extends EventEmitter {
  bytesWritten = 0;
  writableLength = 0;
  isEnded = false;

  answer(bytes: number): void {
    this.bytesWritten += bytes;
    this.writableLength += bytes;
  }

  destroy(): void {
    this.isEnded = true;
    this.emit('close');
  }
}

let connection: Connection;
let server: EventEmitter;

beforeEach(() => {
  jest.useFakeTimers();
  server = new EventEmitter();
  connection = new Connection();
  endUnread(server as Server, 60_000, 5_000);
  server.emit('listening');
  server.emit('connection', connection);
});
afterEach(() => {
  jest.useRealTimers();
});

test('an answer of which nothing is taken in for so long is over', () => {
  connection.answer(1_000);
  jest.advanceTimersByTime(60_000);
  expect(connection.isEnded).toBe(false);
  jest.advanceTimersByTime(5_000);
  expect(connection.isEnded).toBe(true);
});

test('one that is taken in slowly goes on, as does one that is long in coming', () => {
  connection.answer(1_000);
  for (let taken = 0; taken < 1_000; taken += 10) {
    connection.writableLength -= 10;
    jest.advanceTimersByTime(55_000);
  }
  expect(connection.writableLength).toBe(0);
  jest.advanceTimersByTime(24 * 3_600_000);
  expect(connection.isEnded).toBe(false);
  connection.answer(1_000);
  jest.advanceTimersByTime(65_000);
  expect(connection.isEnded).toBe(true);
});

test('one that goes on being written without being taken in is over too', () => {
  for (let written = 0; written < 13; written++) {
    connection.answer(1_000);
    jest.advanceTimersByTime(5_000);
  }
  expect(connection.isEnded).toBe(true);
});

test('nothing is looked at any more once the server is closed', () => {
  server.emit('close');
  expect(jest.getTimerCount()).toBe(0);
});
