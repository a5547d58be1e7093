# What somebody should know: queues that grow, tasks that are late, attempts that fail, dead letters.

locals {
  of_tasks        = "resource.labels.queue_id = one_of(${join(", ", formatlist("\"%s\"", sort(keys(local.task_queues))))})"
  of_dead_letters = "resource.labels.queue_id = one_of(${join(", ", formatlist("\"%s\"", sort(keys(local.dead_letter_queues))))})"
  attempts        = "resource.type = \"cloud_tasks_queue\" AND metric.type = \"cloudtasks.googleapis.com/queue/task_attempt_count\" AND ${local.of_tasks}"

  alerts = {
    depth = {
      title     = "A queue grows"
      filter    = "resource.type = \"cloud_tasks_queue\" AND metric.type = \"cloudtasks.googleapis.com/queue/depth\" AND ${local.of_tasks}"
      aligner   = "ALIGN_MAX"
      threshold = var.alerts.depth
      severity  = "WARNING"
      advice    = "More tasks come than are done, or the queue is paused, or its attempts fail. Compare its rate with what comes; see docs/failures.md."
    }
    late = {
      title     = "Tasks are sent late"
      filter    = "resource.type = \"cloud_tasks_queue\" AND metric.type = \"cloudtasks.googleapis.com/queue/task_attempt_delays\" AND ${local.of_tasks}"
      aligner   = "ALIGN_PERCENTILE_99"
      threshold = var.alerts.delay_seconds * 1000
      severity  = "WARNING"
      advice    = "Tasks wait for longer than they should between being due and being sent: the queue's rate or concurrency is used up, or Cloud Tasks slows down since the worker answers 429 or 503."
    }
    dead-letters = {
      title     = "Tasks were given up"
      filter    = "resource.type = \"cloud_tasks_queue\" AND metric.type = \"cloudtasks.googleapis.com/queue/depth\" AND ${local.of_dead_letters}"
      aligner   = "ALIGN_MAX"
      threshold = 0
      severity  = "ERROR"
      advice    = "`npx nest-cloud-tasks dead-letters list` shows them and why, `redrive` sends them again; they are kept for 31 days."
    }
  }
}

resource "google_monitoring_notification_channel" "email" {
  count = var.alert_email == null ? 0 : 1

  project      = var.project_id
  display_name = "${var.name} alerts"
  type         = "email"
  labels = {
    email_address = var.alert_email
  }

  depends_on = [google_project_service.api]
}

resource "google_monitoring_alert_policy" "queue" {
  for_each = local.alerts

  project               = var.project_id
  display_name          = "${var.name}: ${each.value.title}"
  combiner              = "OR"
  severity              = each.value.severity
  notification_channels = google_monitoring_notification_channel.email[*].id

  conditions {
    display_name = each.value.title
    condition_threshold {
      filter          = each.value.filter
      comparison      = "COMPARISON_GT"
      threshold_value = each.value.threshold
      duration        = "${var.alerts.for_seconds}s"
      aggregations {
        alignment_period   = "60s"
        per_series_aligner = each.value.aligner
      }
    }
  }

  documentation {
    content = each.value.advice
  }

  # The metrics are known from the first task on, the queues before that.
  depends_on = [google_cloud_tasks_queue.queue]
}

resource "google_monitoring_alert_policy" "failures" {
  project               = var.project_id
  display_name          = "${var.name}: Attempts fail"
  combiner              = "OR"
  severity              = "ERROR"
  notification_channels = google_monitoring_notification_channel.email[*].id

  conditions {
    display_name = "Attempts fail"
    condition_threshold {
      filter             = "${local.attempts} AND metric.labels.response_code != \"ok\""
      denominator_filter = local.attempts
      comparison         = "COMPARISON_GT"
      threshold_value    = var.alerts.failed_part
      duration           = "${var.alerts.for_seconds}s"
      aggregations {
        alignment_period     = "300s"
        per_series_aligner   = "ALIGN_RATE"
        cross_series_reducer = "REDUCE_SUM"
        group_by_fields      = ["resource.label.queue_id"]
      }
      denominator_aggregations {
        alignment_period     = "300s"
        per_series_aligner   = "ALIGN_RATE"
        cross_series_reducer = "REDUCE_SUM"
        group_by_fields      = ["resource.label.queue_id"]
      }
    }
  }

  documentation {
    content = "Handlers answer with errors, or not at all. The worker's log has each attempt's reason; see docs/failures.md."
  }

  depends_on = [google_cloud_tasks_queue.queue]
}
