"""AWS Price List: the hourly price of SageMaker hosting.

GetProducts for AmazonSageMaker, in the three Regions that have the service (AWS Billing and Cost Management API
Reference, GetProducts: every filter must match; its sample shows a product, a text of JSON). The prices are those of
Cloud.published. No page names the attributes of SageMaker's products (docs/explanation/open-questions.md).
"""
