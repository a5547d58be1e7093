/** Locations on the wire, by hand: Google's package for Cloud Tasks doesn't bring their protos. */
import { google } from '@google-cloud/tasks/build/protos';
import type { ListLocationsAnswer, Location } from '../engine/locations.js';
import { messageOf } from './wire-message.js';

const { ListQueuesRequest, GetQueueRequest } = google.cloud.tasks.v2;

/** Numbered like ListQueuesRequest: name, filter, page_size, page_token. */
export const ListLocationsRequest = ListQueuesRequest;
/** Numbered like GetQueueRequest: name. */
export const GetLocationRequest = GetQueueRequest;

export const LocationMessage = {
  encode: (location: Location) => ({ finish: () => encoded(location) }),
};

export const ListLocationsResponse = {
  encode: ({ locations, nextPageToken = '' }: ListLocationsAnswer) => ({
    finish: () =>
      messageOf([...locations.map((each) => [1, encoded(each)] as const), [2, nextPageToken]]),
  }),
};

function encoded({ name, locationId, labels }: Location): Buffer {
  return messageOf([
    [1, name],
    ...Object.entries(labels).map(
      ([key, value]) =>
        [
          2,
          messageOf([
            [1, key],
            [2, value],
          ]),
        ] as const,
    ),
    [4, locationId],
  ]);
}
