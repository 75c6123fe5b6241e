/** Snapshots in a Spring Boot service, configured under {@code mirror.snapshot}. */
package dev.mirror.snapshot.spring;
