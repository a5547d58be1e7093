terraform {
  required_version = ">= 1.9"

  required_providers {
    google = {
      source = "hashicorp/google"
      # Pinned to one minor version: a newer one may know more, and is to be tried first.
      version = "~> 6.50.0"
    }
  }
}
