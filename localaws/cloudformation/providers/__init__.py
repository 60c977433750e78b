"""Every resource type that the embedded AWS can make, and who makes it."""

from __future__ import annotations

from localaws.cloudformation.provider import PROVIDERS
from localaws.cloudformation.providers import awslambda as providers_lambda
from localaws.cloudformation.providers import code as providers_code
from localaws.cloudformation.providers import custom, nested, signals
from localaws.cloudformation.providers import ecr as providers_ecr
from localaws.cloudformation.providers import git as providers_git
from localaws.cloudformation.providers import iam as providers_iam
from localaws.cloudformation.providers import messages as providers_messages
from localaws.cloudformation.providers import operations as providers_operations
from localaws.cloudformation.providers import s3 as providers_s3
from localaws.cloudformation.providers import sagemaker as providers_sagemaker
from localaws.cloudformation.providers import stackset as providers_stackset

__all__ = ["PROVIDERS"]

PROVIDERS |= {
    "AWS::ApplicationAutoScaling::ScalableTarget": providers_operations.ScalableTarget(),
    "AWS::ApplicationAutoScaling::ScalingPolicy": providers_operations.ScalingPolicy(),
    "AWS::CDK::Metadata": providers_git.Metadata(),
    "AWS::CloudFormation::CustomResource": custom.CustomResource(),
    "AWS::CloudFormation::Stack": nested.NestedStack(),
    "AWS::CloudFormation::StackSet": providers_stackset.StackSet(),
    "AWS::CloudFormation::WaitCondition": signals.WaitCondition(),
    "AWS::CloudFormation::WaitConditionHandle": signals.Handle(),
    "AWS::CloudWatch::Alarm": providers_operations.Alarm(),
    "AWS::CloudWatch::Dashboard": providers_operations.Dashboard(),
    "AWS::CodeBuild::Project": providers_code.BuildProject(),
    "AWS::CodeCommit::Repository": providers_code.Repository(),
    "AWS::CodePipeline::Pipeline": providers_code.Pipeline(),
    "AWS::ECR::ReplicationConfiguration": providers_ecr.ReplicationConfiguration(),
    "AWS::ECR::Repository": providers_ecr.Repository(),
    "AWS::ECR::RepositoryCreationTemplate": providers_ecr.RepositoryCreationTemplate(),
    "AWS::Events::Rule": providers_operations.Rule(),
    "AWS::IAM::ManagedPolicy": providers_iam.ManagedPolicy(),
    "AWS::IAM::OIDCProvider": providers_iam.OIDCProvider(),
    "AWS::IAM::Policy": providers_iam.InlinePolicy(),
    "AWS::IAM::Role": providers_iam.Role(),
    "AWS::IAM::RolePolicy": providers_iam.RolePolicy(),
    "AWS::KMS::Alias": providers_iam.Alias(),
    "AWS::KMS::Key": providers_iam.Key(),
    "AWS::Lambda::Alias": providers_lambda.Alias(),
    "AWS::Lambda::EventInvokeConfig": providers_lambda.EventInvokeConfig(),
    "AWS::Lambda::Function": providers_lambda.Function(),
    "AWS::Lambda::Permission": providers_lambda.Permission(),
    "AWS::Lambda::Version": providers_lambda.Version(),
    "AWS::Logs::LogGroup": providers_messages.LogGroup(),
    "AWS::S3::Bucket": providers_s3.Bucket(),
    "AWS::S3::BucketPolicy": providers_s3.BucketPolicy(),
    "AWS::SNS::Subscription": providers_messages.Subscription(),
    "AWS::SNS::Topic": providers_messages.Topic(),
    "AWS::SNS::TopicPolicy": providers_messages.TopicPolicy(),
    "AWS::SQS::Queue": providers_messages.Queue(),
    "AWS::SQS::QueuePolicy": providers_messages.QueuePolicy(),
    "AWS::SSM::Parameter": providers_messages.Parameter(),
    "AWS::SageMaker::CodeRepository": providers_git.CodeRepository(),
    "AWS::SageMaker::Endpoint": providers_sagemaker.Endpoint(),
    "AWS::SageMaker::EndpointConfig": providers_sagemaker.Plain("EndpointConfig"),
    "AWS::SageMaker::Model": providers_sagemaker.Plain("Model"),
    "AWS::SageMaker::ModelPackageGroup": providers_sagemaker.ModelPackageGroup(),
    "AWS::StepFunctions::StateMachine": providers_operations.StateMachine(),
}
