package dev.mirror.snapshot.rules;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The steps to a value in a JSON document, from {@code name}, {@code a.b} or {@code /a/0/b}.
 *
 * @param steps one or more
 */
record JsonPath(List<Step> steps) {
    private static final int NO_INDEX = -1;

    /**
     * A step into an object by the member's name, or into an array.
     *
     * @param index negative where it steps into objects only
     */
    record Step(String name, int index) {
        boolean fits(@Nullable String theirName, int theirIndex) {
            return theirName == null ? index == theirIndex : name.equals(theirName);
        }
    }

    static JsonPath parse(String text) throws NotUnderstood {
        boolean isPointer = text.startsWith("/");
        if (isPointer && text.replace("~0", "").replace("~1", "").contains("~")) {
            throw new NotUnderstood("`" + text + "`: in a JSON pointer `~` is written ~0");
        }
        List<Step> steps = new ArrayList<>();
        for (String name : isPointer ? text.substring(1).split("/", -1) : text.split("\\.", -1)) {
            if (name.isEmpty() && !isPointer) {
                throw new NotUnderstood("`" + text + "` has an empty step");
            }
            steps.add(isPointer ? new Step(name.replace("~1", "/").replace("~0", "~"), index(name)) : new Step(name, NO_INDEX));
        }
        return new JsonPath(List.copyOf(steps));
    }

    private static int index(String step) {
        boolean isNumber = !step.isEmpty() && step.chars().allMatch(c -> c >= '0' && c <= '9');
        // No body has as many items as the longer ones say.
        boolean isIndex = isNumber && step.length() < 10 && (step.length() == 1 || step.charAt(0) != '0');
        return isIndex ? Integer.parseInt(step) : NO_INDEX;
    }
}
