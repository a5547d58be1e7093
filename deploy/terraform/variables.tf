variable "project_id" {
  description = "Project that everything is made in; it exists, and has a billing account."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project_id))
    error_message = "Expected a project id of 6 to 30 small letters, digits and hyphens, such as 'my-project'."
  }
}

variable "region" {
  description = "Region of queues, services, schedules and images."
  type        = string
  default     = "us-central1"

  validation {
    condition     = can(regex("^[a-z]+-[a-z]+[0-9]+$", var.region))
    error_message = "Expected a region such as 'us-central1', not a zone."
  }
}

variable "name" {
  description = "What the names of services, accounts and secrets begin with, so that two deployments can share a project. Queues are named by the file."
  type        = string
  default     = "tasks"

  validation {
    # An account's id has at most 30 characters, `-external` included.
    condition     = can(regex("^[a-z]([a-z0-9-]{0,18}[a-z0-9])?$", var.name))
    error_message = "Expected 1 to 20 small letters, digits and hyphens that begin with a letter."
  }
}

variable "config_file" {
  description = "The file that queues, sizes of services and schedules are read from; null is tasks.config.yaml of this repository."
  type        = string
  default     = null

  validation {
    condition     = var.config_file == null ? true : fileexists(var.config_file)
    error_message = "There is no such file."
  }
}

variable "queue_name" {
  description = "Queue of tasks that name none; the file has it."
  type        = string
  default     = "default"

  validation {
    condition     = can(regex("^[A-Za-z0-9-]{1,88}$", var.queue_name))
    error_message = "Expected a queue id of 1 to 88 letters, digits and hyphens."
  }
}

variable "image" {
  description = "The app's image, by tag or digest. Null makes everything but what runs it: the registry has to be there before an image can be in it, and secrets before they have a value."
  type        = string
  default     = null

  validation {
    condition     = var.image == null ? true : can(regex("^[a-z0-9.-]+/.+(:[A-Za-z0-9_.-]+|@sha256:[0-9a-f]{64})$", var.image))
    error_message = "Expected an image with its registry and its tag or digest, such as 'us-central1-docker.pkg.dev/my-project/tasks/app:1'."
  }
}

variable "api_invokers" {
  description = "Who gets through to the API, as IAM members. It asks each for an API key itself, whoever gets through."
  type        = set(string)
  default     = ["allUsers"]

  validation {
    condition = alltrue([
      for member in var.api_invokers :
      can(regex("^(allUsers|allAuthenticatedUsers|(user|group|serviceAccount|domain):.+)$", member))
    ])
    error_message = "Expected IAM members such as 'allUsers' or 'serviceAccount:caller@my-project.iam.gserviceaccount.com'."
  }
}

variable "external_origins" {
  description = "Origins that callers may have tasks sent to (EXTERNAL_ORIGINS); none refuses all such tasks."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for origin in var.external_origins : can(regex("^https://[^/,;*]+(;audience=[^,;]+)?$", origin))])
    error_message = "Expected origins such as 'https://api.example.com' or 'https://api.example.com;audience=https://api.example.com'."
  }
}

variable "secrets" {
  description = "Settings whose values are secrets, besides the API keys: each becomes a secret that only the services which use it can read. Give it a value before `image` is set."
  type        = set(string)
  default     = ["WEBHOOK_SECRET", "CALLBACK_SECRET"]

  validation {
    condition = length(setsubtract(var.secrets, [
      "WEBHOOK_SECRET", "CALLBACK_SECRET", "ENVELOPE_SECRET", "STORE_URL", "SMTP_URL", "DATABASE_URL",
    ])) == 0
    error_message = "Expected some of WEBHOOK_SECRET, CALLBACK_SECRET, ENVELOPE_SECRET, STORE_URL, SMTP_URL and DATABASE_URL."
  }
}

variable "worker_settings" {
  description = "More settings of the worker, by name: MAIL_FROM and SYNC_SOURCE_URL, say. docs/settings.md tells them."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for name in keys(var.worker_settings) : can(regex("^[A-Z][A-Z0-9_]*$", name)) && !can(regex("SECRET|_AUTH$|^AUTH_", name))])
    error_message = "Expected names of settings in capitals; secrets belong to the variable `secrets`, and who is let in is not for here."
  }
}

variable "pause_by_gcloud" {
  description = "Whether queues that are to be paused, as those of dead letters, are paused by the gcloud of the machine that runs Terraform, since this version of the provider can't. False where `npx nest-cloud-tasks queues apply` follows."
  type        = bool
  default     = true
}

variable "deletion_protection" {
  description = "Whether Terraform refuses to delete the services."
  type        = bool
  default     = true
}

variable "alert_email" {
  description = "Where alerts are sent; null only shows them in the console."
  type        = string
  default     = null

  validation {
    condition     = var.alert_email == null ? true : can(regex("^[^@[:space:]]+@[^@[:space:]]+$", var.alert_email))
    error_message = "Expected an e-mail address."
  }
}

variable "alerts" {
  description = "When to alert: tasks that wait in a queue; how late tasks are sent (99th percentile, in seconds); which part of attempts fails; how long each has to last, in seconds."
  type = object({
    depth         = optional(number, 10000)
    delay_seconds = optional(number, 300)
    failed_part   = optional(number, 0.2)
    for_seconds   = optional(number, 300)
  })
  default = {}

  validation {
    condition     = var.alerts.depth > 0 && var.alerts.delay_seconds > 0 && var.alerts.failed_part > 0 && var.alerts.failed_part < 1
    error_message = "Expected a depth and a delay above 0, and a part between 0 and 1."
  }

  validation {
    condition     = var.alerts.for_seconds >= 60 && var.alerts.for_seconds % 60 == 0
    error_message = "Expected for_seconds to be whole minutes, such as 300."
  }
}
