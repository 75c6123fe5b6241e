package dev.mirror.snapshot.rules;

import dev.mirror.snapshot.RequestId;
import java.util.List;

/**
 * The ids that production may have used for a request.
 *
 * @param ids most likely first; empty where no rule yields one
 * @param counted whether identical requests are told apart by a number after each of them
 * @param bucketSeconds of the longest time bucket that the id holds; 0 for none
 */
public record Candidates(List<RequestId> ids, boolean counted, long bucketSeconds) {
    /** Copies the list. */
    public Candidates {
        ids = List.copyOf(ids);
    }
}
