package dev.mirror.snapshot;

import dev.mirror.snapshot.document.Document;
import dev.mirror.snapshot.document.Read;
import dev.mirror.snapshot.document.Stamp;
import dev.mirror.snapshot.document.Unfinished;
import dev.mirror.snapshot.document.Written;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What a request of production asked for, in that order: a call has its place from the moment when it is asked for, as in the mirror, and
 * its result when it ends. For one thread at a time.
 */
final class Calls {
    /** About the bytes of calls that have not ended which a document holds. */
    private static final int MOST_UNFINISHED = 64 << 10;

    private final List<Place> places = new ArrayList<>(4);

    /** Where a call stands. */
    static final class Place {
        private final String name;
        private final String key;
        private final @Nullable Written written;
        private final boolean isInside;
        /** Null until it has ended. */
        private @Nullable Read ended;

        private Place(String name, String key, @Nullable Written written, boolean isInside) {
            this.name = name;
            this.key = key;
            this.written = written;
            this.isInside = isInside;
        }

        /** What it comes to with this result. */
        Read with(byte @Nullable [] value, @Nullable String error) {
            return new Read(name, key, value, error, written, isInside);
        }

        /** About what it takes in a document without a result, in bytes. */
        int size() {
            return unfinished(0).size();
        }

        private Unfinished unfinished(int at) {
            return new Unfinished(name, key, at, written);
        }
    }

    Place begin(String name, String key, @Nullable Written written, boolean isInside) {
        Place place = new Place(name, key, written, isInside);
        places.add(place);
        return place;
    }

    void end(Place place, Read read) {
        place.ended = read;
    }

    /** As they are filed now, with about so many bytes for those that have not ended. */
    Filed filed(int room) {
        List<Read> reads = new ArrayList<>(places.size());
        List<Unfinished> unfinished = new ArrayList<>();
        int left = Math.min(room, MOST_UNFINISHED);
        int dropped = 0;
        for (Place place : places) {
            if (place.ended != null) {
                reads.add(place.ended);
            } else if (!place.isInside) {
                left -= place.size();
                // After the first that does not fit none does.
                if (left >= 0) {
                    unfinished.add(place.unfinished(reads.size()));
                } else {
                    dropped++;
                }
            }
        }
        return new Filed(reads, unfinished, dropped);
    }

    /** What is filed of them. */
    record Filed(List<Read> reads, List<Unfinished> unfinished, int dropped) {
        /** Whether some had not ended. */
        boolean isUnfinished() {
            return dropped > 0 || !unfinished.isEmpty();
        }

        Document document(Stamp stamp) {
            return new Document(stamp, reads, unfinished, dropped);
        }
    }
}
