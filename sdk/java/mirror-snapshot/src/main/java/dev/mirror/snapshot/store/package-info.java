/**
 * Snapshots in Redis or Valkey: {@link dev.mirror.snapshot.store.StoreOptions where}, {@link dev.mirror.snapshot.store.Keys under
 * which key}, how production {@link dev.mirror.snapshot.store.Filings files} them and how a mirror
 * {@link dev.mirror.snapshot.store.Waiter waits} for them.
 */
@NullMarked
package dev.mirror.snapshot.store;

import org.jspecify.annotations.NullMarked;
