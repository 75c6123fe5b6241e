package dev.mirror.snapshot;

import dev.mirror.snapshot.document.Document;
import dev.mirror.snapshot.document.Hash;
import dev.mirror.snapshot.document.Read;
import dev.mirror.snapshot.document.Stamp;
import dev.mirror.snapshot.document.ValueCodec;
import dev.mirror.snapshot.document.Written;
import dev.mirror.snapshot.store.Filings;
import java.io.IOException;
import java.lang.reflect.Type;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * Production's side of one request: reads are done, and what they gave is encoded at once, so that what changes a moment
 * later does not leak in. Nothing here fails or delays a read.
 */
final class Recording extends RequestSnapshot {
    /** What a write is recorded under: this and its name. */
    static final String WRITE = "write:";

    private static final Map<Outcome, String> ADVICE = Map.of(
            Outcome.TOO_LARGE, "a request read more than a snapshot may hold: read less for it, or raise the largest document",
            Outcome.DROPPED, "more was read than the room for snapshots holds: the store is too slow, or raise the queue's size",
            Outcome.NOT_ENCODED, "a snapshot that would not be whole was not filed");

    private final Request request;
    /** Null where the rule has no {@code  #n}. */
    private final @Nullable Numbered numbered;
    private final @Nullable String toldIn;

    /** Guards all below. */
    private final Object lock = new Object();
    private List<Read> reads = new ArrayList<>(4);
    private int bytes;
    private @Nullable String position;
    /** Why the snapshot would not be whole. */
    private @Nullable Outcome unfit;
    private boolean finished;

    /**
     * What the stamp says of it beside the moment.
     *
     * @param body its hash, or null
     * @param peer the connection's other end, or null
     * @param us microseconds past the millisecond in which it was received
     */
    record Request(String method, String target, @Nullable String body, @Nullable String peer, int us) {}

    Recording(Snapshots snapshots, long at, @Nullable RequestId id, @Nullable Numbered numbered, @Nullable String toldIn, Request request) {
        super(snapshots, at, id);
        this.numbered = numbered;
        this.toldIn = toldIn;
        this.request = request;
    }

    static IllegalStateException onlyInAMirror(String name) {
        return new IllegalStateException("`" + name + "` is asked of a snapshot, which only a mirror has: production reads its"
                + " database and records it with load");
    }

    @Override
    public Optional<String> toldIn() {
        return Optional.ofNullable(toldIn);
    }

    @Override
    public void position(String position) {
        synchronized (lock) {
            this.position = position;
        }
    }

    @Override
    public <T extends @Nullable Object, E extends Exception> T load(String name, @Nullable Object key, Type type,
            Reading<? extends T, E> database) throws E {
        return done(name, key, null, type, database);
    }

    private <T extends @Nullable Object, E extends Exception> T done(String name, @Nullable Object key, @Nullable Written written,
            Type type, Reading<? extends T, E> database) throws E {
        String text = key(name, key);
        T value;
        try {
            value = database.read();
        } catch (Exception error) {
            add(name, text, null, RecordedError.text(error), written);
            throw error;
        }
        record(name, text, type, value, written);
        return value;
    }

    @Override
    public <T extends @Nullable Object> CompletionStage<T> loadAsync(String name, @Nullable Object key, Type type,
            Supplier<? extends CompletionStage<T>> database) {
        return doneAsync(name, key, null, type, database);
    }

    private <T extends @Nullable Object> CompletionStage<T> doneAsync(String name, @Nullable Object key, @Nullable Written written,
            Type type, Supplier<? extends CompletionStage<T>> database) {
        String text = key(name, key);
        CompletionStage<T> stage;
        try {
            stage = database.get();
        } catch (RuntimeException error) {
            add(name, text, null, RecordedError.text(error), written);
            throw error;
        }
        return stage.whenComplete((value, error) -> {
            if (error == null) {
                record(name, text, type, value, written);
            } else {
                Throwable cause = error instanceof CompletionException && error.getCause() != null ? error.getCause() : error;
                add(name, text, null, RecordedError.text(cause), written);
            }
        });
    }

    @Override
    public <T extends @Nullable Object> T recorded(String name, @Nullable Object key, Class<T> type) {
        throw onlyInAMirror(name);
    }

    @Override
    public <T extends @Nullable Object, E extends Exception> T write(String name, @Nullable Object key, @Nullable Object written,
            Type type, Reading<? extends T, E> database) throws E {
        return done(WRITE + name, key, snapshots.written(name, written), type, database);
    }

    @Override
    public <T extends @Nullable Object> CompletionStage<T> writeAsync(String name, @Nullable Object key, @Nullable Object written, Type type,
            Supplier<? extends CompletionStage<T>> database) {
        return doneAsync(WRITE + name, key, snapshots.written(name, written), type, database);
    }

    /** Null where it has no text: then the read cannot be recorded. */
    private @Nullable String key(String name, @Nullable Object key) {
        try {
            return snapshots.codec().key(key);
        } catch (IOException | RuntimeException | StackOverflowError error) {
            notEncoded("the key of the read `" + name + "`", error);
            return null;
        }
    }

    private void record(String name, @Nullable String key, Type type, @Nullable Object value, @Nullable Written written) {
        int room;
        synchronized (lock) {
            if (key == null || unfit != null || finished) {
                lateIfFinished();
                return;
            }
            room = snapshots.mostBytes() - bytes;
        }
        try {
            add(name, key, snapshots.codec().encode(value, type, room), null, written);
        } catch (ValueCodec.TooLargeException tooLarge) {
            unfit(Outcome.TOO_LARGE);
        } catch (IOException | RuntimeException | StackOverflowError | LinkageError error) {
            notEncoded("the read `" + name + "`", error);
        }
    }

    private void add(String name, @Nullable String key, byte @Nullable [] value, @Nullable String error, @Nullable Written written) {
        synchronized (lock) {
            if (key == null || unfit != null || finished) {
                lateIfFinished();
                return;
            }
            Read read = new Read(name, key, value, error, written);
            int size = read.size();
            if (bytes + size > snapshots.mostBytes()) {
                unfit(Outcome.TOO_LARGE);
            } else if (!snapshots.room().take(size)) {
                unfit(Outcome.DROPPED);
            } else {
                bytes += size;
                reads.add(read);
            }
        }
    }

    private void lateIfFinished() {
        if (finished) {
            snapshots.count(Outcome.TOO_LATE, "a read came after the request had been answered and is not in its snapshot:"
                    + " read before the answer ends");
        }
    }

    private void notEncoded(String what, Throwable error) {
        unfit(Outcome.NOT_ENCODED);
        // Told here, where it is known what; counted at the end, once for the snapshot.
        snapshots.notice(Outcome.NOT_ENCODED, what + " cannot be recorded (" + error.getClass().getSimpleName()
                + "): give its class fields, a record's components or annotations that Jackson can write and read");
    }

    /** Gives up what was recorded: half a snapshot is none. */
    private void unfit(Outcome why) {
        synchronized (lock) {
            if (unfit == null && !finished) {
                unfit = why;
                snapshots.room().give(bytes);
                reads = List.of();
                bytes = 0;
            }
        }
    }

    @Override
    public void finish() {
        List<Read> taken;
        int size;
        String at;
        synchronized (lock) {
            if (finished) {
                return;
            }
            finished = true;
            taken = reads;
            size = bytes;
            at = position;
            reads = List.of();
        }
        RequestId id = id().orElse(null);
        if (unfit != null) {
            snapshots.count(unfit, ADVICE.getOrDefault(unfit, unfit.text()));
        } else if (id == null) {
            snapshots.room().give(size);
        } else {
            snapshots.file(id, listing(id, at), size, () -> new Document(stamp(at), taken).bytes());
        }
    }

    /** Null where the rule has no {@code  #n}, or the service named the request otherwise since. */
    private Filings.@Nullable Listing listing(RequestId id, @Nullable String position) {
        return numbered == null || !numbered.id().equals(id) ? null
                : new Filings.Listing(snapshots.list(numbered.derived(), at()), () -> stamp(position).entry(numbered.number()));
    }

    private Stamp stamp(@Nullable String position) {
        String hash = Hash.request(request.method, request.target);
        return new Stamp(at(), request.us, hash, request.body, request.peer, position);
    }
}
