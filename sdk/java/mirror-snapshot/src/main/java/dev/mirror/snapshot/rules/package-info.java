/** Rules, as people write them, and the ids that they make of requests. */
@NullMarked
package dev.mirror.snapshot.rules;

import org.jspecify.annotations.NullMarked;
