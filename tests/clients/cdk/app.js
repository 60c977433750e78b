// A bucket and a function, as `cdk deploy` packs and deploys them.
const cdk = require("aws-cdk-lib");
const lambda = require("aws-cdk-lib/aws-lambda");
const s3 = require("aws-cdk-lib/aws-s3");

const env = { account: process.env.CDK_DEFAULT_ACCOUNT, region: process.env.CDK_DEFAULT_REGION };
const stack = new cdk.Stack(new cdk.App(), "Client", { env });
new s3.Bucket(stack, "Data", { encryption: s3.BucketEncryption.S3_MANAGED, removalPolicy: cdk.RemovalPolicy.DESTROY });
const hello = new lambda.Function(stack, "Hello", {
  runtime: lambda.Runtime.PYTHON_3_12,
  handler: "hello.handler",
  code: lambda.Code.fromAsset("function"),
});
new cdk.CfnOutput(stack, "Name", { value: hello.functionName });
