"""The log of a large installation: Apache Kafka, and the Faust transport over it."""
