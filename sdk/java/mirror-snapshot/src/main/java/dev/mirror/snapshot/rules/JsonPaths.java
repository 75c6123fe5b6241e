package dev.mirror.snapshot.rules;

import java.util.ArrayList;
import java.util.List;

/** All that rules read of JSON bodies, so that a body is read once for all of it. Complete when the rules are. */
final class JsonPaths {
    private final List<JsonPath> paths = new ArrayList<>();

    /** Where this path stands among all. */
    int place(JsonPath path) {
        int place = paths.indexOf(path);
        if (place < 0) {
            paths.add(path);
            place = paths.size() - 1;
        }
        return place;
    }

    int size() {
        return paths.size();
    }

    JsonPath at(int place) {
        return paths.get(place);
    }
}
