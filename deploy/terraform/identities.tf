# Who is who, and who may do what: each role on the one queue, account, service or secret it is for.

resource "google_service_account" "account" {
  for_each = {
    api      = "Runs the API: enqueues tasks"
    worker   = "Runs the worker: handles tasks, enqueues more, parks what fails"
    tasks    = "Calls the worker's handlers: its tokens are those of tasks and schedules"
    external = "Calls other people's URLs from tasks: its tokens open nothing here"
    relay    = "Calls what the relay is asked to call; the worker borrows it"
    build    = "Builds the image, as deploy/cloudbuild.yaml says"
  }

  project      = var.project_id
  account_id   = "${var.name}-${each.key}"
  display_name = "${var.name}-${each.key}"
  description  = each.value

  depends_on = [google_project_service.api]
}

locals {
  member = { for name, account in google_service_account.account : name => "serviceAccount:${account.email}" }

  # `enqueuer` creates tasks; `viewer` reads their state, and how a queue differs from what is written.
  queue_roles = merge(
    {
      for pair in setproduct(keys(local.task_queues), ["api", "worker"], ["roles/cloudtasks.enqueuer", "roles/cloudtasks.viewer"]) :
      join(" ", pair) => { queue = pair[0], account = pair[1], role = pair[2] }
    },
    # Only the worker parks tasks.
    {
      for pair in setproduct(keys(local.dead_letter_queues), ["worker"], ["roles/cloudtasks.enqueuer", "roles/cloudtasks.viewer"]) :
      join(" ", pair) => { queue = pair[0], account = pair[1], role = pair[2] }
    },
    # Of a task that was parked the API tells so.
    {
      for pair in setproduct(keys(local.dead_letter_queues), ["api"], ["roles/cloudtasks.viewer"]) :
      join(" ", pair) => { queue = pair[0], account = pair[1], role = pair[2] }
    },
  )
}

resource "google_cloud_tasks_queue_iam_member" "queue" {
  for_each = local.queue_roles

  project  = var.project_id
  location = var.region
  name     = google_cloud_tasks_queue.queue[each.value.queue].name
  role     = each.value.role
  member   = local.member[each.value.account]
}

# Whoever creates a task that carries a token must be allowed to act as its account.
resource "google_service_account_iam_member" "acts_as" {
  for_each = {
    "api as tasks"       = { who = "api", whom = "tasks" }
    "api as external"    = { who = "api", whom = "external" }
    "worker as tasks"    = { who = "worker", whom = "tasks" }
    "worker as external" = { who = "worker", whom = "external" }
  }

  service_account_id = google_service_account.account[each.value.whom].name
  role               = "roles/iam.serviceAccountUser"
  member             = local.member[each.value.who]
}

# ID tokens and no more: not access tokens, not keys, not signatures.
resource "google_service_account_iam_member" "relay_tokens" {
  service_account_id = google_service_account.account["relay"].name
  role               = "roles/iam.serviceAccountOpenIdTokenCreator"
  member             = local.member["worker"]
}

# What a build takes: the source, which Cloud Build keeps in a bucket of its own; a log; the registry.
resource "google_project_iam_member" "build" {
  for_each = toset(["roles/storage.objectViewer", "roles/logging.logWriter"])

  project = var.project_id
  role    = each.value
  member  = local.member["build"]
}

resource "google_artifact_registry_repository_iam_member" "build" {
  project    = var.project_id
  location   = var.region
  repository = google_artifact_registry_repository.images.name
  role       = "roles/artifactregistry.writer"
  member     = local.member["build"]
}
