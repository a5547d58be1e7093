# One deployment, as docs/deploy/terraform.md makes it:
#   terraform init
#   terraform apply -var project_id=my-project
#   terraform apply -var project_id=my-project -var image=us-central1-docker.pkg.dev/my-project/tasks/app:1

terraform {
  required_version = ">= 1.9"
}

variable "project_id" {
  description = "Project to deploy to."
  type        = string
}

variable "image" {
  description = "The app's image; leave it out the first time."
  type        = string
  default     = null
}

variable "alert_email" {
  description = "Where alerts are sent."
  type        = string
  default     = null
}

variable "deletion_protection" {
  description = "Whether Terraform refuses to delete the services."
  type        = bool
  default     = true
}

provider "google" {
  project = var.project_id
}

module "tasks" {
  source = "../.."

  project_id  = var.project_id
  image       = var.image
  alert_email = var.alert_email

  deletion_protection = var.deletion_protection
}

output "api_url" {
  description = "Where callers enqueue."
  value       = module.tasks.api_url
}

output "repository" {
  description = "Where the image goes."
  value       = module.tasks.repository
}

output "secrets" {
  description = "Secrets that need a value before `image` is set."
  value       = module.tasks.secrets
}
