/** The snapshots of a service: {@link dev.mirror.snapshot.Snapshots} names requests, and records or serves what they read. */
@NullMarked
package dev.mirror.snapshot;

import org.jspecify.annotations.NullMarked;
