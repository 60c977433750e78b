"""Amazon S3: moto holds buckets and objects, and answers its operations. Server access
logs do not come: AWS delivers most "within a few hours", if at all ("Logging requests with server access logging").

What AWS checks before and does after it: service.py, bucket_policy.py. What a request needs: access.py (Amazon S3
User Guide, "Required permissions for Amazon S3 API operations").
"""
