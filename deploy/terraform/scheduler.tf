# Schedules of the file: each tick calls the worker, which makes the task. Those that handlers declare
# in code are made by `npx nest-cloud-tasks schedules apply`, which finds these as they should be.

resource "google_cloud_scheduler_job" "schedule" {
  for_each = var.image == null ? {} : local.schedules

  project = var.project_id
  region  = var.region
  name    = each.key
  # The mark says whose the job is.
  description      = "${each.value.description} [nest-cloud-tasks]"
  schedule         = each.value.schedule
  time_zone        = each.value.time_zone
  attempt_deadline = try(local.seconds[each.value.attempt_deadline], "180s")

  http_target {
    http_method = "POST"
    uri         = "${local.service_urls["worker"]}/_cron/${each.key}"

    oidc_token {
      service_account_email = google_service_account.account["tasks"].email
      audience              = local.service_urls["worker"]
    }
  }

  retry_config {
    retry_count          = each.value.retry_count
    max_retry_duration   = try(local.seconds[each.value.max_retry_duration], null)
    min_backoff_duration = try(local.seconds[each.value.min_backoff], null)
    max_backoff_duration = try(local.seconds[each.value.max_backoff], null)
    max_doublings        = each.value.max_doublings
  }

  # A tick that came before its worker would only be tried again.
  depends_on = [google_cloud_run_v2_service_iam_member.tasks]
}
