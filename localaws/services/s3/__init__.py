"""Amazon S3: moto holds buckets and objects, and answers its operations.

What AWS checks before and does after it: service.py, bucket_policy.py. What a request needs: access.py (Amazon S3
User Guide, "Required permissions for Amazon S3 API operations").
"""
