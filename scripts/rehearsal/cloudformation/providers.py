"""Every resource type that the embedded AWS can make, and who makes it."""

from __future__ import annotations

from scripts.rehearsal.cloudformation import (
    nested,
    providers_code,
    providers_git,
    providers_iam,
    providers_messages,
    providers_operations,
    providers_s3,
    providers_sagemaker,
    providers_stackset,
)
from scripts.rehearsal.cloudformation.provider import Provider

PROVIDERS: dict[str, Provider] = {
    "AWS::ApplicationAutoScaling::ScalableTarget": providers_operations.ScalableTarget(),
    "AWS::ApplicationAutoScaling::ScalingPolicy": providers_operations.ScalingPolicy(),
    "AWS::CDK::Metadata": providers_git.Metadata(),
    "AWS::CloudFormation::Stack": nested.NestedStack(),
    "AWS::CloudFormation::StackSet": providers_stackset.StackSet(),
    "AWS::CloudWatch::Alarm": providers_operations.Alarm(),
    "AWS::CloudWatch::Dashboard": providers_operations.Dashboard(),
    "AWS::CodeBuild::Project": providers_code.BuildProject(),
    "AWS::CodeCommit::Repository": providers_code.Repository(),
    "AWS::CodePipeline::Pipeline": providers_code.Pipeline(),
    "AWS::Events::Rule": providers_operations.Rule(),
    "AWS::IAM::ManagedPolicy": providers_iam.ManagedPolicy(),
    "AWS::IAM::Policy": providers_iam.InlinePolicy(),
    "AWS::IAM::Role": providers_iam.Role(),
    "AWS::IAM::RolePolicy": providers_iam.RolePolicy(),
    "AWS::KMS::Alias": providers_iam.Alias(),
    "AWS::KMS::Key": providers_iam.Key(),
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
