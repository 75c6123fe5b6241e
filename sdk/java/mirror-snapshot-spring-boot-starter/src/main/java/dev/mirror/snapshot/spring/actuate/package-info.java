/** Meters, health and info of the snapshots. */
@NullMarked
package dev.mirror.snapshot.spring.actuate;

import org.jspecify.annotations.NullMarked;
