"""Publishing the bundle: Service Catalog, S3, the console page, the versions."""
