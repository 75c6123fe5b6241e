/** Snapshots of the requests of WebFlux. */
@NullMarked
package dev.mirror.snapshot.spring.reactive;

import org.jspecify.annotations.NullMarked;
