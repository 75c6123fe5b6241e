package dev.mirror.snapshot.store;

import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** What a {@link Waiter}'s thread does: looks at once for what is new, and with every poll for all, with few commands. */
final class Looks implements Runnable {
    /** Keys of one command: keeps what one answer may hold, and how long it blocks the store, small. */
    private static final int KEYS_AT_ONCE = 512;
    /** Stores end a look earlier by themselves. */
    private static final Duration LOOK = Duration.ofSeconds(2);

    private final Waiter waiter;
    private final SnapshotStore store;
    private final WaitOptions options;
    /** Looked for before, and to be looked for again. */
    private List<Wait> known = new ArrayList<>();
    /** Looked for now. */
    private List<Wait> due = new ArrayList<>();

    Looks(Waiter waiter, SnapshotStore store, WaitOptions options) {
        this.waiter = waiter;
        this.store = store;
        this.options = options;
    }

    @Override
    public void run() {
        try {
            lookUntilNobodyWaits();
            if (waiter.isClosed()) {
                abandon(new IllegalStateException("nothing is waited for any more: the service ends"));
            }
        } catch (RuntimeException | Error e) {
            abandon(e);
        }
    }

    private void lookUntilNobodyWaits() {
        long poll = options.poll().toNanos();
        long nextPoll = System.nanoTime() + poll;
        for (List<Wait> fresh; (fresh = waiter.arrived(known.isEmpty(), nextPoll)) != null; ) {
            due = fresh;
            if (System.nanoTime() - nextPoll >= 0) {
                nextPoll = System.nanoTime() + poll;
                takeKnown(poll / 2);
            }
            look();
            int before = due.size();
            due.removeIf(Wait::isDone);
            int ended = before - due.size();
            known.addAll(due);
            due = new ArrayList<>();
            waiter.ended(ended);
        }
    }

    /** Those that were looked for just now are left out, so that their tries are not too close together. */
    private void takeKnown(long apart) {
        List<Wait> later = new ArrayList<>();
        for (Wait wait : known) {
            (wait.sinceLook() >= apart ? due : later).add(wait);
        }
        known = later;
    }

    private void look() {
        Map<String, List<Wait>> byKey = new LinkedHashMap<>();
        for (Wait wait : due) {
            // Who does not wait any more is not looked for.
            if (!wait.isDone()) {
                byKey.computeIfAbsent(wait.key(), key -> new ArrayList<>(1)).add(wait);
            }
        }
        List<String> keys = new ArrayList<>(byKey.keySet());
        List<List<String>> batches = new ArrayList<>();
        List<CompletableFuture<List<byte @Nullable []>>> answers = new ArrayList<>();
        for (int from = 0; from < keys.size(); from += KEYS_AT_ONCE) {
            List<String> batch = keys.subList(from, Math.min(from + KEYS_AT_ONCE, keys.size()));
            batches.add(batch);
            answers.add(look(batch));
        }
        for (int i = 0; i < batches.size(); i++) {
            end(batches.get(i), answers.get(i), byKey);
        }
    }

    private CompletableFuture<List<byte @Nullable []>> look(List<String> keys) {
        try {
            return store.look(keys)
                    .thenApply(values -> {
                        if (values.size() != keys.size()) {
                            throw new IllegalStateException(values.size() + " values for " + keys.size() + " keys");
                        }
                        return values;
                    })
                    .toCompletableFuture()
                    .orTimeout(LOOK.toMillis(), TimeUnit.MILLISECONDS);
        } catch (RuntimeException e) {
            return CompletableFuture.failedFuture(e);
        }
    }

    private void end(List<String> keys, CompletableFuture<List<byte @Nullable []>> answer, Map<String, List<Wait>> byKey) {
        List<byte @Nullable []> values;
        try {
            values = answer.join();
        } catch (RuntimeException e) {
            Throwable why = StoreException.unwrapped(e);
            keys.forEach(key -> byKey.getOrDefault(key, List.of()).forEach(wait -> wait.failed(options, why)));
            return;
        }
        for (int i = 0; i < keys.size(); i++) {
            byte @Nullable [] value = values.get(i);
            Consumer<Wait> step = value == null ? wait -> wait.goesOn(options) : wait -> wait.found(value);
            byKey.getOrDefault(keys.get(i), List.of()).forEach(step);
        }
    }

    /** Nobody may be left waiting for a thread that is gone. */
    private void abandon(Throwable why) {
        due.addAll(known);
        due.addAll(waiter.abandoned());
        due.forEach(wait -> wait.unavailable(why));
        waiter.ended(due.size());
    }
}
