# The queues, each with one for its dead letters.

locals {
  dead_letter = "-dead-letter"
  # Those that tasks are sent to; one of dead letters may be written down too.
  task_queues = { for id, queue in local.written_queues : id => queue if !endswith(id, local.dead_letter) }
  dead_letter_queues = {
    for id in keys(local.task_queues) : "${id}${local.dead_letter}" => try(local.written_queues["${id}${local.dead_letter}"], {
      max_dispatches_per_second = null
      max_concurrent_dispatches = null
      max_attempts              = -1
      max_retry_duration        = null
      min_backoff               = null
      max_backoff               = null
      max_doublings             = null
      sampling_ratio            = null
      paused                    = true
    })
  }
  paused_queues = setunion(
    keys(local.dead_letter_queues),
    [for id, queue in local.task_queues : id if queue.paused],
  )
}

resource "google_cloud_tasks_queue" "queue" {
  for_each = merge(local.task_queues, local.dead_letter_queues)

  project  = var.project_id
  location = var.region
  name     = each.key

  rate_limits {
    max_dispatches_per_second = each.value.max_dispatches_per_second
    max_concurrent_dispatches = each.value.max_concurrent_dispatches
  }

  retry_config {
    max_attempts       = each.value.max_attempts
    max_retry_duration = try(local.seconds[each.value.max_retry_duration], null)
    min_backoff        = try(local.seconds[each.value.min_backoff], null)
    max_backoff        = try(local.seconds[each.value.max_backoff], null)
    max_doublings      = each.value.max_doublings
  }

  dynamic "stackdriver_logging_config" {
    for_each = each.value.sampling_ratio == null ? [] : [each.value.sampling_ratio]
    content {
      sampling_ratio = stackdriver_logging_config.value
    }
  }

  lifecycle {
    # Made by `queues apply`; App Engine is none of this, so where its tasks go isn't either.
    ignore_changes = [http_target, app_engine_routing_override]

    precondition {
      condition     = length(each.key) <= 100
      error_message = "The id of queue ${each.key} is too long: 88 characters, so that its dead letters' queue has 100."
    }
  }

  depends_on = [google_project_service.api]
}

# A dead letter that were sent again at once would be none. What is paused stays so: neither the
# provider nor an update of the queue lets it run.
resource "terraform_data" "paused" {
  for_each = var.pause_by_gcloud ? local.paused_queues : []

  triggers_replace = google_cloud_tasks_queue.queue[each.key].id

  provisioner "local-exec" {
    command = "gcloud tasks queues pause \"$QUEUE\" --location=\"$LOCATION\" --project=\"$PROJECT\" --quiet"
    environment = {
      QUEUE    = each.key
      LOCATION = var.region
      PROJECT  = var.project_id
    }
  }
}
