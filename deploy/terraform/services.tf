# The two Cloud Run services: one image, two roles. They are made once there is an image.

locals {
  service_names = {
    for name in ["api", "worker"] : name => try(local.cloud_run_rows[name].name, "${var.name}-${name}")
  }
  # Known before the service is there, so that it can be told its own address.
  service_urls = {
    for name, service in local.service_names : name =>
    "https://${service}-${data.google_project.this.number}.${var.region}.run.app"
  }
  keys_folder = "/secrets/producer"

  common_settings = {
    TASKS_BACKEND            = "google"
    PROJECT_ID               = var.project_id
    LOCATION                 = var.region
    QUEUE_NAME               = var.queue_name
    SERVICE_URL              = local.service_urls["worker"]
    SERVICE_ACCOUNT          = google_service_account.account["tasks"].email
    EXTERNAL_SERVICE_ACCOUNT = google_service_account.account["external"].email
  }

  settings = {
    api = merge(
      local.common_settings,
      {
        ROLE = "api"
        # It serves no handlers; where somebody calls one all the same, only a token would do.
        AUTH_MODE          = "oidc"
        PRODUCER_AUTH      = "api-key"
        PRODUCER_KEYS_FILE = "${local.keys_folder}/keys.json"
      },
      length(var.external_origins) == 0 ? {} : {
        EXTERNAL_ORIGINS = join(",", var.external_origins)
      },
    )
    worker = merge(
      # What the module says of who is let in is not to be said otherwise.
      var.worker_settings,
      local.common_settings,
      {
        ROLE                  = "worker"
        AUTH_MODE             = "cloud-run-iam"
        RELAY_SERVICE_ACCOUNT = google_service_account.account["relay"].email
      },
    )
  }
}

resource "google_cloud_run_v2_service" "service" {
  for_each = var.image == null ? {} : local.service_names

  project             = var.project_id
  location            = var.region
  name                = each.value
  deletion_protection = var.deletion_protection
  # Cloud Tasks would get through from within too; but the worker has to reach its own front door, to
  # see that strangers are turned away there.
  ingress = "INGRESS_TRAFFIC_ALL"
  # Whichever of its addresses Cloud Run prefers, tokens for this one are taken.
  custom_audiences = [local.service_urls[each.key]]

  template {
    service_account                  = google_service_account.account[each.key].email
    timeout                          = local.seconds[local.sizes[each.key].timeout]
    max_instance_request_concurrency = local.sizes[each.key].concurrency

    scaling {
      min_instance_count = local.sizes[each.key].min_instances
      max_instance_count = local.sizes[each.key].max_instances
    }

    containers {
      image = var.image

      ports {
        container_port = 8080
      }

      resources {
        limits = {
          cpu    = tostring(local.sizes[each.key].cpu)
          memory = local.sizes[each.key].memory
        }
        cpu_idle          = true
        startup_cpu_boost = true
      }

      startup_probe {
        period_seconds    = 2
        timeout_seconds   = 2
        failure_threshold = 30
        http_get {
          path = "/healthz"
        }
      }

      liveness_probe {
        period_seconds  = 30
        timeout_seconds = 5
        http_get {
          path = "/healthz"
        }
      }

      dynamic "env" {
        for_each = local.settings[each.key]
        content {
          name  = env.key
          value = env.value
        }
      }

      dynamic "env" {
        for_each = local.secret_settings[each.key]
        content {
          name = env.key
          value_source {
            secret_key_ref {
              secret  = env.value
              version = "latest"
            }
          }
        }
      }

      dynamic "volume_mounts" {
        for_each = each.key == "api" ? [local.keys_folder] : []
        content {
          name       = "producer-keys"
          mount_path = volume_mounts.value
        }
      }
    }

    # Mounted rather than set: a new version of the secret is read within half a minute.
    dynamic "volumes" {
      for_each = each.key == "api" ? [google_secret_manager_secret.secret["PRODUCER_KEYS"].secret_id] : []
      content {
        name = "producer-keys"
        secret {
          secret = volumes.value
          items {
            path    = "keys.json"
            version = "latest"
          }
        }
      }
    }
  }

  lifecycle {
    precondition {
      condition     = contains(keys(local.task_queues), var.queue_name)
      error_message = "The file has no queue ${var.queue_name} for tasks that name none: write it there, or set the variable queue_name to one that it has."
    }

    precondition {
      # Cloud Run gives longer names an address that can't be told beforehand.
      condition     = length("${each.value}-${data.google_project.this.number}") <= 63
      error_message = "The name of service ${each.value} is too long for an address that is known beforehand."
    }
  }

  depends_on = [
    google_secret_manager_secret_iam_member.reader,
    google_cloud_tasks_queue_iam_member.queue,
    google_service_account_iam_member.acts_as,
    # No worker parks a task in a queue that would send it again.
    terraform_data.paused,
  ]
}

# The worker is private: tasks and schedules get in, nobody else.
resource "google_cloud_run_v2_service_iam_member" "tasks" {
  count = var.image == null ? 0 : 1

  project  = var.project_id
  location = var.region
  name     = google_cloud_run_v2_service.service["worker"].name
  role     = "roles/run.invoker"
  member   = local.member["tasks"]
}

resource "google_cloud_run_v2_service_iam_member" "callers" {
  for_each = var.image == null ? [] : var.api_invokers

  project  = var.project_id
  location = var.region
  name     = google_cloud_run_v2_service.service["api"].name
  role     = "roles/run.invoker"
  member   = each.value
}
