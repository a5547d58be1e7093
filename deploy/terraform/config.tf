# The one file that queues, sizes and schedules are written in, in either of its forms.

locals {
  config    = yamldecode(file(coalesce(var.config_file, "${path.module}/../../tasks.config.yaml")))
  resources = try(local.config.resources, [])

  # `10m` and `500ms` of our own form, as the seconds that Google's API takes.
  units = { ms = 0.001, s = 1, m = 60, h = 3600, d = 86400 }
  seconds = {
    for duration in distinct(flatten([
      [for queue in values(local.written_queues) : [queue.min_backoff, queue.max_backoff, queue.max_retry_duration]],
      [for service in values(local.sizes) : service.timeout],
      [for schedule in values(local.schedules) : [
        schedule.attempt_deadline, schedule.max_retry_duration, schedule.min_backoff, schedule.max_backoff,
      ]],
    ])) :
    duration => format("%ss", tonumber(regex("^[0-9.]+", duration)) * local.units[regex("[a-z]+$", duration)])
    if duration != null
  }

  # Settings may stand under the queue or in the API's groups.
  written_queues = merge(
    {
      for id, queue in merge({}, try(local.config.queues, null)) : id => {
        max_dispatches_per_second = try(queue.maxDispatchesPerSecond, queue.rateLimits.maxDispatchesPerSecond, null)
        max_concurrent_dispatches = try(queue.maxConcurrentDispatches, queue.rateLimits.maxConcurrentDispatches, null)
        # Without a limit where none is written: the library decides when to give a task up.
        max_attempts       = try(queue.maxAttempts, queue.retryConfig.maxAttempts, -1)
        max_retry_duration = try(queue.maxRetryDuration, queue.retryConfig.maxRetryDuration, null)
        min_backoff        = try(queue.minBackoff, queue.retryConfig.minBackoff, null)
        max_backoff        = try(queue.maxBackoff, queue.retryConfig.maxBackoff, null)
        max_doublings      = try(queue.maxDoublings, queue.retryConfig.maxDoublings, null)
        sampling_ratio     = try(queue.stackdriverLoggingConfig.samplingRatio, null)
        paused             = try(queue.state, "RUNNING") == "PAUSED"
      }
    },
    {
      for row in local.resources : try(row.name, row.id) => {
        max_dispatches_per_second = try(row.config.max_dispatches_per_second, null)
        max_concurrent_dispatches = try(row.config.max_concurrent_dispatches, null)
        max_attempts              = try(row.config.max_attempts, -1)
        max_retry_duration        = try(row.config.max_retry_duration, null)
        min_backoff               = try(row.config.min_backoff, null)
        max_backoff               = try(row.config.max_backoff, null)
        max_doublings             = try(row.config.max_doublings, null)
        sampling_ratio            = null
        paused                    = false
      } if row.type == "cloud_tasks_queue"
    },
  )

  cloud_run_rows = { for row in local.resources : row.id => row if row.type == "cloud_run" }

  sizes = {
    for name in ["api", "worker"] : name => {
      cpu           = try(local.config.services[name].cpu, local.cloud_run_rows[name].config.cpu, 1)
      memory        = try(local.config.services[name].memory, local.cloud_run_rows[name].config.memory, "512Mi")
      min_instances = try(local.config.services[name].minInstances, local.cloud_run_rows[name].config.min_instances, 0)
      max_instances = try(local.config.services[name].maxInstances, local.cloud_run_rows[name].config.max_instances, 10)
      concurrency   = try(local.config.services[name].concurrency, local.cloud_run_rows[name].config.concurrency, 80)
      # The rows say seconds without a unit.
      timeout = try(local.config.services[name].timeout, "${local.cloud_run_rows[name].config.timeout}s", "300s")
    }
  }
}

# Jobs by their names, as `npx nest-cloud-tasks schedules apply` makes them of the same file.
locals {
  schedules = merge(
    {
      for name, schedule in merge({}, try(local.config.schedules, null)) : name => {
        schedule           = schedule.schedule
        time_zone          = try(schedule.timeZone, "Etc/UTC")
        description        = try(schedule.description, "Makes a task for ${schedule.task}.")
        attempt_deadline   = try(schedule.attemptDeadline, null)
        retry_count        = try(schedule.retry.retryCount, 3)
        max_retry_duration = try(schedule.retry.maxRetryDuration, null)
        min_backoff        = try(schedule.retry.minBackoff, null)
        max_backoff        = try(schedule.retry.maxBackoff, null)
        max_doublings      = try(schedule.retry.maxDoublings, null)
      }
    },
    {
      # Of the address the path counts, which names a handler: the worker's own is not known to whoever
      # writes the file.
      for row in local.resources : try(row.name, row.id) => {
        schedule           = row.config.schedule
        time_zone          = try(row.config.time_zone, "Etc/UTC")
        description        = try(row.config.description, "Makes a task for ${regex("^https?://[^/]+(/.*)$", row.config.target_url)[0]}.")
        attempt_deadline   = null
        retry_count        = try(row.config.retry_count, 3)
        max_retry_duration = null
        min_backoff        = null
        max_backoff        = null
        max_doublings      = null
      } if row.type == "cloud_scheduler"
    },
  )
}

# A warning of `terraform plan`: what is written and can't be made by this version of the provider.
check "settings_for_queues_apply" {
  assert {
    condition = alltrue([
      for queue in values(merge({}, try(local.config.queues, null))) :
      length(setintersection(
        try(keys(queue), []),
        ["maxBurstSize", "taskTtl", "tombstoneTtl", "httpTarget"],
      )) == 0
    ])
    error_message = "maxBurstSize, taskTtl, tombstoneTtl and httpTarget of queues are made by `npx nest-cloud-tasks queues apply`, not by Terraform."
  }
}
