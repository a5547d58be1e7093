output "api_url" {
  description = "Where callers enqueue, with a header X-API-Key."
  value       = local.service_urls["api"]
}

output "worker_url" {
  description = "Where handlers are: SERVICE_URL, and the audience of the tasks' tokens."
  value       = local.service_urls["worker"]
}

output "repository" {
  description = "Where the image goes: <repository>/app:<tag>."
  value       = "${var.region}-docker.pkg.dev/${var.project_id}/${google_artifact_registry_repository.images.repository_id}"
}

output "queues" {
  description = "Queues of tasks, and those of their dead letters."
  value = {
    tasks        = sort(keys(local.task_queues))
    dead_letters = sort(keys(local.dead_letter_queues))
  }
}

output "service_accounts" {
  description = "Accounts by what they are for."
  value       = { for name, account in google_service_account.account : name => account.email }
}

output "secrets" {
  description = "Secrets by setting; each needs a version before `image` is set."
  value       = { for name, secret in google_secret_manager_secret.secret : name => secret.secret_id }
}
