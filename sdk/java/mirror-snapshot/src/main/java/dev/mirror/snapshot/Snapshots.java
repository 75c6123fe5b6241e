package dev.mirror.snapshot;

import dev.mirror.snapshot.document.Hash;
import dev.mirror.snapshot.document.ValueCodec;
import dev.mirror.snapshot.document.Written;
import dev.mirror.snapshot.guard.WriteGuard;
import dev.mirror.snapshot.rules.Derivation;
import dev.mirror.snapshot.rules.IdRules;
import dev.mirror.snapshot.rules.RequestFields;
import dev.mirror.snapshot.store.Filings;
import dev.mirror.snapshot.store.Keys;
import dev.mirror.snapshot.store.SnapshotStore;
import dev.mirror.snapshot.store.StoreOptions;
import dev.mirror.snapshot.store.Waited;
import dev.mirror.snapshot.store.Waiter;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoField;
import java.util.Arrays;
import java.util.Objects;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The snapshots of one service: names each request and begins what is recorded or served for it.
 *
 * <p>{@link #begin} when a request arrives, {@link SnapshotContext#enter} while it is worked on, {@link RequestSnapshot#finish()}
 * when it has been answered. The Spring Boot starter does all three.
 */
public final class Snapshots implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(Snapshots.class);
    static final String EFFECTS_DROPPED =
            "the effects of a request found no room: the store is too slow or away, or raise the queue's size";

    private final Profile profile;
    private final Counts counts = new Counts();
    private final Notices notices = new Notices();
    private final SnapshotSource source = new CurrentSource(this);
    private final IdRules rules;
    private final Keys keys;
    /** Null where nothing is recorded or served. */
    private final @Nullable SnapshotStore store;
    private final @Nullable Filings filings;
    private final @Nullable Waiter waiter;
    private final Room room;
    private final ValueCodec codec;
    private final int mostBytes;
    private final Duration timeToLive;
    private final OnMiss onMiss;
    private final OnWrite onWrite;
    private final @Nullable SnapshotFallback fallback;
    private final BooleanSupplier nonBlocking;
    /** Why nothing can be recorded or served, where it should be. */
    private final @Nullable String misconfigured;
    private volatile Consumer<Duration> onWait = waited -> {};

    Snapshots(SnapshotsBuilder from, IdRules rules, @Nullable StoreOptions options, @Nullable SnapshotStore store,
            @Nullable String misconfigured) {
        this.profile = from.profile;
        this.rules = rules;
        this.store = store;
        this.misconfigured = misconfigured;
        this.keys = new Keys(options == null ? from.prefix : options.prefix());
        this.codec = from.codec;
        this.mostBytes = from.mostBytes;
        this.timeToLive = from.timeToLive;
        this.onMiss = from.onMiss;
        this.onWrite = from.onWrite;
        this.fallback = from.fallback;
        this.nonBlocking = from.nonBlocking;
        this.room = new Room(from.queueBytes);
        Filings.Listener listener = profile == Profile.MIRROR ? new CountedEffects() : new CountedFilings();
        this.filings = store == null ? null
                : new Filings(store, timeToLive, from.queueDocuments, from.queueBytes, listener);
        this.waiter = store != null && profile == Profile.MIRROR ? new Waiter(store, from.wait) : null;
        if (store != null) {
            // Connects now, in the background, so that the first requests find a connection.
            store.ping();
        }
    }

    /** Snapshots of a service that plays this part. */
    public static SnapshotsBuilder builder(Profile profile) {
        return new SnapshotsBuilder(profile);
    }

    /** Switched off: every read and write is done as if there were no snapshots. */
    public static Snapshots off() {
        return new SnapshotsBuilder(Profile.OFF).build();
    }

    /** The part that this service plays. */
    public Profile profile() {
        return profile;
    }

    /** What became of requests, snapshots and reads. */
    public Counts counts() {
        return counts;
    }

    /** The reads and writes of whatever request the calling thread works for. */
    public SnapshotSource source() {
        return source;
    }

    /** Why nothing can be recorded or served although it should be, and what to do; empty where all is well. */
    public Optional<String> misconfigured() {
        return Optional.ofNullable(misconfigured);
    }

    /** Ends well where the store answers, or where none is needed. */
    public CompletionStage<Void> ping() {
        return store == null ? CompletableFuture.completedFuture(null) : store.ping();
    }

    /** Snapshots, in a mirror effects, that wait for the store to take them. */
    public int pendingDocuments() {
        return filings == null ? 0 : filings.pendingDocuments();
    }

    /** Bytes of heap that are recorded or wait for the store. */
    public long pendingBytes() {
        return room.taken() + (filings == null ? 0 : filings.pendingBytes());
    }

    /** Is told how long each look for a snapshot took. */
    public void onWait(Consumer<Duration> listener) {
        onWait = listener;
    }

    /** Whether the body of such a request is needed before {@link #begin}. */
    public boolean readsBody(String method, String target) {
        return profile == Profile.PRODUCTION && filings != null && rules.readsBody(method, target);
    }

    /**
     * The snapshot of a request that arrived now: to be filed in production, to be read in the mirror.
     *
     * @param peer the connection's other end, or null: a proxy on this host stands between, or it is not known
     */
    public RequestSnapshot begin(RequestFields request, @Nullable InetSocketAddress peer) {
        Instant received = Instant.now();
        long now = received.toEpochMilli();
        if (misconfigured != null) {
            count(Outcome.MISCONFIGURED, misconfigured);
        }
        if (profile == Profile.MIRROR) {
            return serving(request, now);
        }
        return filings == null ? new Plain(this, now) : recording(request, peer, received);
    }

    /** For reads outside of a request. */
    RequestSnapshot outside() {
        long now = System.currentTimeMillis();
        return profile == Profile.MIRROR ? new Serving(this, now, null, null, null, true) : new Plain(this, now);
    }

    private RequestSnapshot serving(RequestFields request, long now) {
        RequestId id = RequestId.of(trimmed(request.header(Headers.REQUEST_ID, 0))).orElse(null);
        String captured = trimmed(request.header(Headers.CAPTURED_AT, 0));
        return new Serving(this, captured == null ? now : millis(captured, now), id, trimmed(request.header(Headers.NAMESPACE, 0)),
                effects(trimmed(request.header(Headers.SEND, 0)), id), false);
    }

    /** Null where nobody asks for them. */
    private @Nullable SendEffects effects(@Nullable String send, @Nullable RequestId id) {
        return send == null || id == null || filings == null ? null
                : keys.effects(send, id).map(key -> new SendEffects(this, key)).orElse(null);
    }

    private static @Nullable String trimmed(@Nullable String value) {
        return value == null ? null : value.trim();
    }

    private static long millis(String text, long otherwise) {
        try {
            return Long.parseLong(text);
        } catch (NumberFormatException none) {
            return otherwise;
        }
    }

    private RequestSnapshot recording(RequestFields request, @Nullable InetSocketAddress peer, Instant received) {
        Derivation derived = rules.derive(request, received.getEpochSecond());
        RequestId id = derived.id().orElse(null);
        Numbered numbered = null;
        String toldIn = null;
        if (id == null) {
            toldIn = rules.toldIn(request.method(), request.target()).orElse(null);
            if (toldIn != null) {
                id = new RequestId(UUID.randomUUID().toString());
            } else {
                unnamed(derived);
            }
        } else if (derived.counted()) {
            numbered = numbered(id);
            id = numbered == null ? null : numbered.id();
        }
        byte[] body = readsBody(request.method(), request.target()) ? request.body() : null;
        Recording.Request stamped = new Recording.Request(request.method(), request.target(), body == null ? null : Hash.of(body),
                peer == null ? null : Hash.peer(peer), received.get(ChronoField.MICRO_OF_SECOND) % 1000);
        return new Recording(this, received.toEpochMilli(), id, numbered, toldIn, stamped);
    }

    private @Nullable Numbered numbered(RequestId derived) {
        Numbered numbered = Numbered.drawn(derived).orElse(null);
        if (numbered == null) {
            count(Outcome.NO_ID, "the id of a rule with ` #n` is too long with its number: take md5 of it");
        }
        return numbered;
    }

    private void unnamed(Derivation derived) {
        Outcome outcome = switch (derived.reason()) {
            case BODY_NOT_JSON -> Outcome.BODY_NOT_JSON;
            case BODY_NOT_READ -> Outcome.BODY_NOT_READ;
            default -> Outcome.NO_ID;
        };
        if (outcome != Outcome.NO_ID) {
            counts.count(Outcome.NO_ID);
        }
        count(outcome, derived.detail());
    }

    /** Where the snapshots of identical requests of one minute are listed. */
    String list(RequestId derived, long at) {
        return keys.list(derived, at);
    }

    /**
     * @param listing null where the rule has no {@code  #n}
     */
    void file(RequestId id, Filings.@Nullable Listing listing, int bytes, Supplier<byte[]> document) {
        Filings to = Objects.requireNonNull(filings, "only production records");
        handedOver(to.file(keys.key(id), leaving(document, bytes), listing, bytes), id, bytes);
    }

    void fileEffects(String key, int bytes, Supplier<byte[]> document) {
        Filings to = Objects.requireNonNull(filings, "effects are noted only for a store");
        handedOver(to.replace(key, leaving(document, bytes), bytes), key, bytes);
    }

    /** Gives its room back when it is made for the store. */
    private Supplier<byte[]> leaving(Supplier<byte[]> document, int bytes) {
        return () -> {
            room.give(bytes);
            return document.get();
        };
    }

    private void handedOver(boolean queued, Object what, int bytes) {
        if (!queued) {
            room.give(bytes);
        }
        debug("filing {}: {} bytes", what, bytes);
    }

    /** The value of a write, as it is now. Null where the service gives none, or gives one that cannot be compared, which is logged. */
    @Nullable Written written(String name, @Nullable Object value) {
        if (value == null) {
            return null;
        }
        String why;
        try {
            byte[] json = codec.encode(value, value.getClass(), Written.LONGEST_JSON);
            Written written = Written.of(json);
            if (written != null || isNull(json)) {
                return written;
            }
            why = "a number of more than 64 digits, or more than 64 levels";
        } catch (IOException | RuntimeException | StackOverflowError | LinkageError error) {
            why = error.getClass().getSimpleName();
        }
        notices.tell(Outcome.NOT_ENCODED, "the value of the write `" + name + "` cannot be compared (" + why
                + "): give what Jackson can write, of at most " + Written.LONGEST_JSON + " bytes");
        return null;
    }

    /** As of an empty optional. */
    private static boolean isNull(byte[] json) {
        return Arrays.equals(json, new byte[] {'n', 'u', 'l', 'l'});
    }

    /** Waits for the snapshot of this id, blocking nobody. */
    CompletableFuture<Waited> look(RequestId id, @Nullable String namespace) {
        if (waiter == null) {
            String why = misconfigured == null ? "no store" : misconfigured;
            return CompletableFuture.completedFuture(new Waited.Unavailable(new IllegalStateException(why), Duration.ZERO));
        }
        Optional<Keys> within = namespace == null ? Optional.of(keys) : keys.within(namespace);
        return within.map(at -> waiter.wait(at.key(id)))
                .orElseGet(() -> CompletableFuture.completedFuture(new Waited.Missing(Duration.ZERO)));
    }

    /** What keeps other clients from writing in a mirror, by this verdict; what it does is counted. Elsewhere it allows all. */
    public WriteGuard guard(WriteGuard.Verdict verdict) {
        return new CountingGuard(profile == Profile.MIRROR ? verdict : WriteGuard.Verdict.ALLOW);
    }

    private final class CountingGuard implements WriteGuard {
        private final Verdict verdict;

        CountingGuard(Verdict verdict) {
            this.verdict = verdict;
        }

        @Override
        public Verdict judge(String kind, String what) {
            if (verdict == Verdict.REFUSE) {
                count(Outcome.WRITE_REFUSED, "a mirror does not write, and this was a write by " + kind + ": record it with"
                        + " SnapshotSource.write, or set what the guard does");
            } else if (verdict == Verdict.RECORD) {
                count(Outcome.WRITE_RECORDED);
            }
            return verdict;
        }

        @Override
        public boolean mayAllow(String kind) {
            return verdict == Verdict.ALLOW;
        }
    }

    void count(Outcome outcome) {
        counts.count(outcome);
    }

    /** Counts it, and says what to do about it once a minute. */
    void count(Outcome outcome, String advice) {
        counts.count(outcome);
        notices.tell(outcome, advice);
    }

    void notice(Outcome outcome, String advice) {
        notices.tell(outcome, advice);
    }

    void debug(String text, @Nullable Object... values) {
        LOG.debug(text, values);
    }

    void waited(Duration waited) {
        onWait.accept(waited);
    }

    Room room() {
        return room;
    }

    ValueCodec codec() {
        return codec;
    }

    int mostBytes() {
        return mostBytes;
    }

    OnMiss onMiss() {
        return onMiss;
    }

    OnWrite onWrite() {
        return onWrite;
    }

    @Nullable SnapshotFallback fallback() {
        return fallback;
    }

    /** Whether the calling thread must not wait. */
    boolean mustNotBlock() {
        return nonBlocking.getAsBoolean();
    }

    private final class CountedFilings implements Filings.Listener {
        @Override
        public void filed() {
            count(Outcome.FILED);
        }

        @Override
        public void collided() {
            count(Outcome.COLLIDED, "a second request had the id of a snapshot: the rules must tell requests apart");
        }

        @Override
        public void dropped() {
            count(Outcome.DROPPED, "the queue to the store is full: the store is too slow or away, or raise the queue's size");
        }

        @Override
        public void failed(Throwable why) {
            count(Outcome.FAILED, "the store did not take a snapshot, see that it is there and may be written to: " + why.getMessage());
        }
    }

    private final class CountedEffects implements Filings.Listener {
        @Override
        public void filed() {
            count(Outcome.EFFECTS_FILED);
        }

        /** Never told: they replace what stands there. */
        @Override
        public void collided() {}

        @Override
        public void dropped() {
            count(Outcome.EFFECTS_DROPPED, EFFECTS_DROPPED);
        }

        @Override
        public void failed(Throwable why) {
            count(Outcome.EFFECTS_FAILED, "the store did not take a request's effects, see that it is there and that the mirror may SET"
                    + " keys that begin with `" + keys.effects() + "`: " + why.getMessage());
        }
    }

    /** Files what is queued, for a second at the most, and gives the connection back. */
    @Override
    public void close() {
        if (filings != null) {
            filings.close();
        }
        if (waiter != null) {
            waiter.close();
        }
        if (store != null) {
            store.close();
        }
    }
}
