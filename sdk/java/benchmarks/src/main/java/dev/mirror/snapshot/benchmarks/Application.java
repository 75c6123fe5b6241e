package dev.mirror.snapshot.benchmarks;

import org.springframework.boot.autoconfigure.EnableAutoConfiguration;
import org.springframework.context.annotation.Configuration;

/** A web service with nothing in it. */
@Configuration(proxyBeanMethods = false)
@EnableAutoConfiguration
class Application {}
