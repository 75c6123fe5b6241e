package dev.mirror.snapshot;

import dev.mirror.snapshot.document.Hash;
import dev.mirror.snapshot.document.Read;
import dev.mirror.snapshot.document.Stamp;
import dev.mirror.snapshot.document.ValueCodec;
import dev.mirror.snapshot.document.Written;
import dev.mirror.snapshot.store.Filings;
import java.io.IOException;
import java.lang.reflect.Type;
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
    private Calls calls = new Calls();
    /** Of calls that have ended. */
    private int bytes;
    /** Room for all of them. */
    private int taken;
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
    <T extends @Nullable Object, E extends Exception> T done(Call call, Type type, Reading<? extends T, E> database) throws E {
        Calls.Place place = begin(call);
        T value;
        try (SnapshotContext.Scope doing = doing()) {
            value = database.read();
        } catch (Exception error) {
            end(place, null, RecordedError.text(error));
            throw error;
        }
        record(place, call.name(), type, value);
        return value;
    }

    @Override
    <T extends @Nullable Object> CompletionStage<T> doneAsync(Call call, Type type, Supplier<? extends CompletionStage<T>> database) {
        Calls.Place place = begin(call);
        CompletionStage<T> stage;
        try (SnapshotContext.Scope doing = doing()) {
            stage = database.get();
        } catch (RuntimeException error) {
            end(place, null, RecordedError.text(error));
            throw error;
        }
        return stage.whenComplete((value, error) -> {
            if (error == null) {
                record(place, call.name(), type, value);
            } else {
                Throwable cause = error instanceof CompletionException && error.getCause() != null ? error.getCause() : error;
                end(place, null, RecordedError.text(cause));
            }
        });
    }

    @Override
    public <T extends @Nullable Object> T recorded(String name, @Nullable Object key, Class<T> type) {
        throw onlyInAMirror(name);
    }

    /** Lists a call from now on, whether it ends or not. Null where nothing is recorded of it. */
    private Calls.@Nullable Place begin(Call call) {
        String key = key(call.name(), call.key());
        Written written = call.isWrite() ? snapshots.written(call.name(), call.written()) : null;
        boolean isInside = call.isInside() || isDoing();
        synchronized (lock) {
            if (key == null || unfit != null || finished) {
                lateIfFinished();
                return null;
            }
            Calls.Place place = calls.begin(call.filedName(), key, written, isInside);
            take(place.size());
            return place;
        }
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

    private void record(Calls.@Nullable Place place, String name, Type type, @Nullable Object value) {
        int left;
        synchronized (lock) {
            if (!goesOn(place)) {
                return;
            }
            left = snapshots.mostBytes() - bytes;
        }
        try {
            end(place, snapshots.codec().encode(value, type, left), null);
        } catch (ValueCodec.TooLargeException tooLarge) {
            unfit(Outcome.TOO_LARGE);
        } catch (IOException | RuntimeException | StackOverflowError | LinkageError error) {
            notEncoded("the read `" + name + "`", error);
        }
    }

    private void end(Calls.@Nullable Place place, byte @Nullable [] value, @Nullable String error) {
        synchronized (lock) {
            if (!goesOn(place)) {
                return;
            }
            Read read = place.with(value, error);
            if (bytes + read.size() > snapshots.mostBytes()) {
                unfit(Outcome.TOO_LARGE);
            } else if (take(read.size() - place.size())) {
                bytes += read.size();
                calls.end(place, read);
            }
        }
    }

    /** Whether the result of a call can be recorded. */
    private boolean goesOn(Calls.@Nullable Place place) {
        if (place != null && finished) {
            lateIfFinished();
        }
        return place != null && unfit == null && !finished;
    }

    /** Gives up what was recorded where there is no room. */
    private boolean take(int more) {
        if (snapshots.room().take(more)) {
            taken += more;
            return true;
        }
        unfit(Outcome.DROPPED);
        return false;
    }

    private void lateIfFinished() {
        if (finished) {
            snapshots.count(Outcome.TOO_LATE, "a read ended after the request had been answered, and what it gave is not in its"
                    + " snapshot: read before the answer ends");
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
                snapshots.room().give(taken);
                calls = new Calls();
                taken = 0;
            }
        }
    }

    @Override
    public void finish() {
        Calls.Filed filed;
        int size;
        String at;
        synchronized (lock) {
            if (finished) {
                return;
            }
            finished = true;
            filed = calls.filed(snapshots.mostBytes() - bytes);
            size = taken;
            at = position;
            calls = new Calls();
        }
        RequestId id = id().orElse(null);
        if (unfit != null) {
            snapshots.count(unfit, ADVICE.getOrDefault(unfit, unfit.text()));
        } else if (id == null) {
            snapshots.room().give(size);
        } else {
            if (filed.isUnfinished()) {
                snapshots.count(Outcome.UNFINISHED);
            }
            snapshots.file(id, listing(id, at), size, () -> filed.document(stamp(at)).bytes());
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
