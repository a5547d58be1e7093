# Secrets, without their values: those would stand in Terraform's state. docs/deploy/terraform.md tells how each gets one.

locals {
  # Which services read which.
  readers = {
    PRODUCER_KEYS   = ["api"]
    WEBHOOK_SECRET  = ["worker"]
    CALLBACK_SECRET = ["worker"]
    ENVELOPE_SECRET = ["api", "worker"]
    STORE_URL       = ["api", "worker"]
    SMTP_URL        = ["worker"]
    DATABASE_URL    = ["worker"]
  }
  secrets = setunion(["PRODUCER_KEYS"], var.secrets)
  secret_ids = {
    for name in local.secrets : name => "${var.name}-${lower(replace(name, "_", "-"))}"
  }
  secret_settings = {
    for service in ["api", "worker"] : service => {
      for name in var.secrets : name => google_secret_manager_secret.secret[name].secret_id
      if contains(local.readers[name], service)
    }
  }
}

resource "google_secret_manager_secret" "secret" {
  for_each = local.secret_ids

  project   = var.project_id
  secret_id = each.value

  replication {
    auto {}
  }

  depends_on = [google_project_service.api]
}

resource "google_secret_manager_secret_iam_member" "reader" {
  for_each = merge([
    for name in local.secrets : {
      for service in local.readers[name] : "${name} ${service}" => { secret = name, service = service }
    }
  ]...)

  project   = var.project_id
  secret_id = google_secret_manager_secret.secret[each.value.secret].secret_id
  role      = "roles/secretmanager.secretAccessor"
  member    = local.member[each.value.service]
}
