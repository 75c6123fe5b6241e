/** Snapshots in a Spring Boot service, configured under {@code mirror.snapshot}. */
@NullMarked
package dev.mirror.snapshot.spring;

import org.jspecify.annotations.NullMarked;
