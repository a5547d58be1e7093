/** The lines that point a client at the engine, for each of Google's clients. */

export interface ClientTarget {
  /** As clients reach the engine: `127.0.0.1`. */
  readonly host: string;
  readonly port: number;
  readonly project: string;
  readonly location: string;
}

/** Lines to paste; each makes one `client` (or a shell) that needs no credentials. */
export const CLIENTS = {
  node: ({ host, port, project }) => `\
// npm install @google-cloud/tasks @grpc/grpc-js
import { CloudTasksClient } from '@google-cloud/tasks';
import { credentials } from '@grpc/grpc-js';

const client = new CloudTasksClient({
  apiEndpoint: '${host}',
  port: ${port},
  sslCreds: credentials.createInsecure(),
  projectId: '${project}',
});`,

  python: ({ host, port }) => `\
# pip install google-cloud-tasks
import grpc
from google.cloud import tasks_v2
from google.cloud.tasks_v2.services.cloud_tasks.transports import CloudTasksGrpcTransport

channel = grpc.insecure_channel("${host}:${port}")
client = tasks_v2.CloudTasksClient(transport=CloudTasksGrpcTransport(channel=channel))`,

  go: ({ host, port }) => `\
// go get cloud.google.com/go/cloudtasks
import (
	cloudtasks "cloud.google.com/go/cloudtasks/apiv2"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

client, err := cloudtasks.NewClient(ctx,
	option.WithEndpoint("${host}:${port}"),
	option.WithoutAuthentication(),
	option.WithGRPCDialOption(grpc.WithTransportCredentials(insecure.NewCredentials())),
)`,

  java: ({ host, port }) => `\
// com.google.cloud:google-cloud-tasks
import com.google.api.gax.core.NoCredentialsProvider;
import com.google.api.gax.grpc.GrpcTransportChannel;
import com.google.api.gax.rpc.FixedTransportChannelProvider;
import com.google.cloud.tasks.v2.CloudTasksClient;
import com.google.cloud.tasks.v2.CloudTasksSettings;
import io.grpc.ManagedChannel;
import io.grpc.ManagedChannelBuilder;

ManagedChannel channel =
    ManagedChannelBuilder.forAddress("${host}", ${port}).usePlaintext().build();
CloudTasksClient client =
    CloudTasksClient.create(
        CloudTasksSettings.newBuilder()
            .setTransportChannelProvider(
                FixedTransportChannelProvider.create(GrpcTransportChannel.create(channel)))
            .setCredentialsProvider(NoCredentialsProvider.create())
            .build());`,

  gcloud: ({ host, port, project, location }) => `\
export CLOUDSDK_API_ENDPOINT_OVERRIDES_CLOUDTASKS=http://${host}:${port}/
export CLOUDSDK_AUTH_DISABLE_CREDENTIALS=true
export CLOUDSDK_CORE_PROJECT=${project}
# gcloud tasks queues list --location=${location}`,
} as const satisfies Record<string, (target: ClientTarget) => string>;

export type ClientName = keyof typeof CLIENTS;

/** The names of a first queue, and how a client spells them. */
export function clientLines(name: ClientName, target: ClientTarget): string {
  return CLIENTS[name](target);
}
