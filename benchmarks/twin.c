/* The slot loop of planner/simulation/kernel.py once more, in C and sampled mode: a yardstick for compiled Python.

   Same algorithm, same layout of the data, same luck. Names are the kernel's; its comments are not repeated. Where
   the results differ, the mistake is here: twin.py compares them. */

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum {
    INJECTED, ATTEMPTS, DELIVERED, HARD_BOUNCED, BLOCKED, EXPIRED, QUEUED, FIRST_4XX, FIRST_TROUBLE,
    OVERFLOWN, REPUTATION, ALLOWANCE, ESTABLISHED, DELAYED, DELAY_SECONDS, DEFERRED
};
enum { LIMIT, PENALTY, GREYLISTING, SYSTEM, STUCK, DOUBT, N_CAUSES = 7 };
enum { N_ROWS = DEFERRED + N_CAUSES, N_DELAY_BINS = 96 };
enum {
    W_ESTABLISHED, W_COLD, W_JUMP, W_FADES_AT, W_IDLE_DECAY, W_HOURLY_SHARE, W_REJECTION_COST,
    W_PENALTY_CHANCE, W_PENALTY_SLOTS, W_EXCESS_REJECTED, W_GREYLISTING_PROBABILITY,
    W_GREYLISTING_DELAY_SECONDS, W_GREYLISTING_FADE, W_BASE_DEFERRAL, W_STUCK_SHARE, W_TROUBLE_DEFERRAL,
    W_TROUBLE_STARTS, W_TROUBLE_ENDS, W_REPUTATION_RECOVERY, W_REPUTATION_SENSITIVITY, W_COMPLAINT_LIMIT,
    W_HARD_BOUNCE_LIMIT, W_EXCESS_LIMIT, W_BLOCK_BELOW, W_AUTH, W_AUTH_REFUSED, N_WORLD
};
enum { SKIP, SPREAD, HOLD };
enum { HOPEFUL, HOPELESS, N_FATES };
enum { P_TROUBLE, P_HOPELESS, P_BAD, P_SPLIT, P_PENALTY, P_AUTH, P_GREY, P_REJECT, P_SHARE, P_WAIT, P_ONE,
       P_NOISE };
enum { POINTER, STEP, GOOD_POINTER, ANY_GOOD, RESTING };

#define NEGLIGIBLE 1e-9
#define HALF (0.5 + 1e-9)
#define MOST_PARTS 4
#define FEW 8
#define MIX1 0xBF58476D1CE4E5B9u
#define MIX2 0x94D049BB133111EBu
#define GOLDEN 0x9E3779B97F4A7C15u

/* layout.Inputs, sizes first; twin.py fills it */
typedef struct {
    int64_t n_scenarios, n_providers, n_days, n_slots, n_segments;
    int64_t n_firsts, n_ages, n_waits, width, ring_slots, n_reaction;
    int64_t transactional, overflow;
    double slot_seconds;
    const double *world;
    const uint64_t *keys;
    const double *volume, *demand, *ceiling;
    const int64_t *opens;
    const double *mix, *complaint_rate, *hard_bounce_rate, *pace, *target, *stage_volume;
    const int64_t *stage_day, *n_stages;
    const double *reaction;
    const int64_t *attempts, *class_of_cause, *wait_first, *wait_n;
    const double *wait_share, *wait_seconds, *nominal, *early;
    const int64_t *pause_slots;
} Inputs;

typedef struct {
    int64_t n_cells;
    double *count, *age, *start, *bad;
    int32_t *cells;
    int64_t *occupied;
} Queue;

typedef struct {
    int64_t *cell;
    double *left, *age, *start, *bad, *part, *deferred, *again;
    int64_t *attempt_of, *group_of;
    double first_deferred[N_FATES][N_CAUSES];
} Due;

typedef struct {
    double bucket, closed_until;
    int64_t rest_until, oldest;
    int trouble;
} Limiter;

typedef struct {
    double tolerated, doubt, greylisting;
    int blocks;
    double volume, bad_share;
} Today;

/* --- luck */

static inline uint64_t mixed(uint64_t x)
{
    x = (x ^ (x >> 30)) * MIX1;
    x = (x ^ (x >> 27)) * MIX2;
    return x ^ (x >> 31);
}

static inline double uniform(uint64_t key, int64_t purpose)
{
    return (double)(mixed(key + (uint64_t)(purpose + 1) * GOLDEN) >> 11) * 0x1p-53;
}

static inline double least(double a, double b)
{
    return b < a ? b : a;
}

static inline double most(double a, double b)
{
    return b > a ? b : a;
}

static double normal_quantile(double u)
{
    double q = u - 0.5, r, value;
    if (fabs(q) <= 0.425) {
        r = 0.180625 - q * q;
        double top = ((59.10937472 * r + 159.29113202) * r + 50.434271938) * r + 3.3871327179;
        return q * top / (((67.1875636 * r + 78.757757664) * r + 17.895169469) * r + 1.0);
    }
    r = sqrt(-log(most(least(u, 1.0 - u), 1e-300)));
    if (r <= 5.0) {
        r -= 1.6;
        value = ((0.17023821103 * r + 1.3067284816) * r + 2.7568153900) * r + 1.4234372777;
        value /= (0.12021132975 * r + 0.73700164250) * r + 1.0;
    } else {
        r -= 5.0;
        value = ((0.017337203997 * r + 0.42868294337) * r + 3.0812263860) * r + 6.6579051150;
        value /= (0.012258202635 * r + 0.24197894225) * r + 1.0;
    }
    return q < 0.0 ? -value : value;
}

static double binomial_lower(double n, double p, double u)
{
    double mean = n * p;
    if (u < 1.0 - mean)
        return 0.0;
    if (mean < 15.0) {
        double odds = p / (1.0 - p), share = exp(n * log1p(-p)), below = share, count = 0.0;
        while (u >= below && count < n) {
            share *= odds * (n - count) / (count + 1.0);
            count += 1.0;
            below += share;
            if (share < 1e-18 && count > mean)
                break;
        }
        return count;
    }
    double deviation = sqrt(mean * (1.0 - p)), z = normal_quantile(u), skew = (1.0 - 2.0 * p) / 6.0;
    double fourth = (z * z - 3.0) * (1.0 - 6.0 * p * (1.0 - p)) / 24.0;
    double third = z * (fourth - (2.0 * z * z - 5.0) * skew * skew);
    double count = floor(mean + deviation * z + (z * z - 1.0) * skew + third / deviation + 0.5);
    return least(n, most(0.0, count));
}

static inline double part(double n, double p, uint64_t key, int64_t purpose)
{
    if (n <= 0.0 || p <= 0.0)
        return 0.0;
    double u = uniform(key, purpose);
    if (p >= 1.0)
        return n;
    return p > 0.5 ? n - binomial_lower(n, 1.0 - p, 1.0 - u) : binomial_lower(n, p, u);
}

/* --- the queue */

static inline void put(Queue *q, int64_t at, int64_t cell, double n, double mean_age, double mean_start,
                       double mean_bad)
{
    int64_t i = at * q->n_cells + cell;
    if (q->count[i] <= 0.0)
        q->cells[at * q->n_cells + q->occupied[at]++] = (int32_t)cell;
    q->count[i] += n;
    q->age[i] += n * mean_age;
    q->start[i] += n * mean_start;
    q->bad[i] += n * mean_bad;
}

static inline void empty(Queue *q, int64_t i)
{
    q->count[i] = q->age[i] = q->start[i] = q->bad[i] = 0.0;
}

static inline int64_t take(Queue *q, int64_t at, Due *due, double *total)
{
    int64_t n_cells = q->occupied[at], base = at * q->n_cells;
    *total = 0.0;
    for (int64_t j = 0; j < n_cells; j++) {
        int64_t cell = q->cells[base + j], i = base + cell;
        double n = q->count[i];
        due->cell[j] = cell;
        due->left[j] = n;
        due->age[j] = q->age[i] / n;
        due->start[j] = q->start[i] / n;
        due->bad[j] = q->bad[i] / n;
        *total += n;
        empty(q, i);
    }
    q->occupied[at] = 0;
    return n_cells;
}

static void postpone(Queue *q, int64_t at, int64_t later, double waited)
{
    int64_t base = at * q->n_cells;
    for (int64_t j = 0; j < q->occupied[at]; j++) {
        int64_t cell = q->cells[base + j], i = base + cell;
        double n = q->count[i];
        put(q, later, cell, n, q->age[i] / n + waited, q->start[i] / n, q->bad[i] / n);
        empty(q, i);
    }
    q->occupied[at] = 0;
}

static void clear(Queue *q, int64_t ring_slots)
{
    for (int64_t at = 0; at < ring_slots; at++) {
        for (int64_t j = 0; j < q->occupied[at]; j++)
            empty(q, at * q->n_cells + q->cells[at * q->n_cells + j]);
        q->occupied[at] = 0;
    }
}

static inline void share_out(double *left, int64_t n_cells, double amount, double among, double u,
                             double *given_by)
{
    double seen = 0.0, before = 0.0, share = amount / among;
    for (int64_t i = 0; i < n_cells; i++) {
        double n = left[i];
        given_by[i] = 0.0;
        if (n <= 0.0)
            continue;
        seen += n;
        double upto = seen >= among ? amount : floor(seen * share + u);
        double given = least(n, upto - before);
        before = upto;
        given_by[i] = given;
        left[i] = n - given > NEGLIGIBLE ? n - given : 0.0;
    }
}

static inline int64_t delay_bin(double seconds)
{
    if (seconds <= 30.0)
        return 0;
    int64_t bin = (int64_t)(log2(seconds / 30.0) * 6.0) + 1;
    return bin < N_DELAY_BINS - 1 ? bin : N_DELAY_BINS - 1;
}

/* --- one day */

static double held_days(double *held, int64_t *oldest, int64_t d, double n)
{
    double days = 0.0, left = n;
    int64_t i = *oldest;
    while (left > 0.0 && i <= d) {
        double sent = least(left, held[i]);
        days += sent * (double)(d - i);
        held[i] -= sent;
        left -= sent;
        if (held[i] <= 1e-9)
            i++;
    }
    *oldest = i < d ? i : d;
    return days / n;
}

static void slots(const Inputs *in, int64_t s, int64_t p, int64_t d, const double *w, const Today *today,
                  Limiter *limiter, double *held, Queue *q, Due *due, double *day, double *delays)
{
    const double tolerated = today->tolerated, volume = today->volume;
    const double hourly_share = w[W_HOURLY_SHARE], rejection_cost = w[W_REJECTION_COST];
    const double penalty_slots = w[W_PENALTY_SLOTS], excess_rejected = w[W_EXCESS_REJECTED];
    const double grey_delay = w[W_GREYLISTING_DELAY_SECONDS], hopeless_share = w[W_STUCK_SHARE];
    const double base_deferral = w[W_BASE_DEFERRAL], trouble_deferral = w[W_TROUBLE_DEFERRAL];
    const double trouble_starts = w[W_TROUBLE_STARTS], trouble_ends = w[W_TROUBLE_ENDS];
    const double auth_refused = w[W_AUTH_REFUSED];
    const double slot_seconds = in->slot_seconds;
    const int64_t n_firsts = in->n_firsts, n_classes = (n_firsts + 1) * N_FATES, length = in->ring_slots;
    const int64_t n_slots = in->n_slots, n_ages = in->n_ages, width = in->width;
    const double *pace = in->pace + p * n_slots;
    const int64_t *attempts = in->attempts + p * n_firsts;
    const int64_t *class_of_cause = in->class_of_cause + p * N_CAUSES;
    const int64_t *wait_first = in->wait_first + p * in->n_waits, *wait_n = in->wait_n + p * in->n_waits;
    const double *wait_share = in->wait_share + p * in->n_waits * width;
    const double *wait_seconds = in->wait_seconds + p * in->n_waits * width;
    const double *nominal = in->nominal + p * n_firsts * n_ages;
    const double *early = in->early + (s * in->n_providers + p) * n_ages;
    const int64_t pause_slots = in->pause_slots[p], grey_class = class_of_cause[GREYLISTING];
    const double size = most(1.0, hourly_share * tolerated);
    const int64_t two_hours = (int64_t)(7200.0 / slot_seconds), coarse = two_hours > 1 ? two_hours : 1;
    const double refill = hourly_share * tolerated * slot_seconds / 3600.0;
    const double few = pause_slots > 0 ? FEW : 0.0;
    double bucket = limiter->bucket < 0.0 ? size : least(limiter->bucket, size);
    double closed_until = limiter->closed_until;
    int64_t rest_until = limiter->rest_until;
    int trouble = limiter->trouble;
    double used = 0.0, refusals = 0.0, injected = 0.0;
    const uint64_t day_key = mixed(in->keys[s * in->n_providers + p] + (uint64_t)(d + 1) * MIX1);
    int penalty_waits = uniform(day_key, P_PENALTY) < w[W_PENALTY_CHANCE];

    int64_t at = d * n_slots % length - 1;
    for (int64_t i = 0; i < n_slots; i++) {
        const int64_t now = d * n_slots + i;
        at = at + 1 < length ? at + 1 : 0;
        const uint64_t slot_key = mixed(day_key + (uint64_t)(i + 1) * MIX2);
        const double flip = uniform(slot_key, P_TROUBLE);
        trouble = trouble ? flip >= trouble_ends : flip < trouble_starts;
        bucket = least(size, bucket + refill);
        const double upto = floor(volume * pace[i] + HALF), new = upto - injected;
        injected = upto;
        if (new > 0.0) {
            double age = in->overflow == HOLD ? 86400.0 * held_days(held, &limiter->oldest, d, new) : 0.0;
            double hopeless = part(new, hopeless_share, slot_key, P_HOPELESS);
            for (int fate = 0; fate < N_FATES; fate++) {
                double n = fate == HOPELESS ? hopeless : new - hopeless;
                if (n > 0.0)
                    put(q, at, fate, n, age, age, today->bad_share);
            }
        }
        if (q->occupied[at] == 0)
            continue;
        if (now < rest_until) {
            postpone(q, at, rest_until % length, (double)(rest_until - now) * slot_seconds);
            continue;
        }

        int hurt = 0;
        uint64_t passes = 0;
        while (q->occupied[at] > 0) {
            passes++;
            const uint64_t key = mixed(slot_key + passes * GOLDEN);
            double undecided;
            const int64_t n_cells = take(q, at, due, &undecided);
            int64_t *const cell_of = due->cell;
            double *const left = due->left, *const part_of = due->part;
            double *const deferred = due->deferred, *const again = due->again;
            day[ATTEMPTS] += undecided;
            memset(due->first_deferred, 0, sizeof due->first_deferred);

            if (today->blocks) {
                day[BLOCKED] += undecided;
                for (int64_t j = 0; j < n_cells; j++)
                    if (cell_of[j] < N_FATES)
                        day[FIRST_TROUBLE] += left[j];
                continue;
            }
            if ((double)now < closed_until) {
                hurt = 1;
                day[DEFERRED + PENALTY] += undecided;
                for (int64_t j = 0; j < n_cells; j++) {
                    deferred[j] = left[j];
                    again[j] = left[j];
                    left[j] = 0.0;
                    if (cell_of[j] < N_FATES) {
                        due->first_deferred[cell_of[j]][PENALTY] = deferred[j];
                        day[FIRST_TROUBLE] += deferred[j];
                    }
                }
                undecided = 0.0;
            } else {
                for (int64_t j = 0; j < n_cells; j++)
                    deferred[j] = 0.0;
                double refused = part(undecided, auth_refused, key, P_AUTH);
                if (refused > 0.0) {
                    share_out(left, n_cells, refused, undecided, uniform(key, P_SHARE), part_of);
                    day[BLOCKED] += refused;
                    undecided -= refused;
                }
                for (int c = 0; c < 2; c++) {
                    const int cause = c == 0 ? SYSTEM : DOUBT;
                    double chance = today->doubt;
                    if (cause == SYSTEM)
                        chance = trouble ? trouble_deferral : base_deferral;
                    double n = part(undecided, chance, key, P_NOISE + cause);
                    if (n > 0.0) {
                        share_out(left, n_cells, n, undecided, uniform(key, P_SHARE + 16 * cause), part_of);
                        day[DEFERRED + cause] += n;
                        undecided -= n;
                        for (int64_t j = 0; j < n_cells; j++) {
                            deferred[j] += part_of[j];
                            if (cell_of[j] < N_FATES)
                                due->first_deferred[cell_of[j]][cause] += part_of[j];
                        }
                    }
                }
                for (int64_t j = 0; j < n_cells; j++) {
                    again[j] = deferred[j];
                    if (left[j] <= 0.0)
                        continue;
                    const int64_t cell = cell_of[j];
                    double chance = 0.0;
                    if (cell < N_FATES) {
                        chance = today->greylisting;
                    } else if (due->group_of[cell] == n_firsts) {
                        const int64_t k = due->attempt_of[cell];
                        chance = early[k];
                        if (pause_slots > 0) {
                            const double due_at = nominal[grey_class * n_ages + k];
                            double extra = due->age[j] - due->start[j] - due_at;
                            double rested = least(1.0, most(0.0, extra) / slot_seconds);
                            double ahead = grey_delay - due_at - most(slot_seconds, extra);
                            double spread = least(1.0, most(-1.0, ahead / slot_seconds));
                            double late = spread < 0.0 ? 0.5 * ((1.0 + spread) * (1.0 + spread))
                                                       : 1.0 - 0.5 * ((1.0 - spread) * (1.0 - spread));
                            chance = (1.0 - rested) * chance + rested * late;
                        }
                    }
                    if (chance > 0.0) {
                        double n = part(left[j], chance, key, P_GREY + 16 * cell);
                        day[DEFERRED + GREYLISTING] += n;
                        deferred[j] += n;
                        again[j] += n;
                        left[j] -= n;
                        undecided -= n;
                        if (cell < N_FATES)
                            due->first_deferred[cell][GREYLISTING] += n;
                    }
                    if (cell % N_FATES == HOPELESS) {
                        double n = left[j];
                        day[DEFERRED + STUCK] += n;
                        deferred[j] += n;
                        undecided -= n;
                        left[j] = 0.0;
                        if (cell < N_FATES)
                            due->first_deferred[cell][STUCK] += n;
                    }
                }
            }

            if (undecided > NEGLIGIBLE) {
                double room = floor(most(0.0, least(bucket, tolerated - used)) + 1e-9);
                double passing = least(undecided, room);
                if (passing < undecided)
                    share_out(left, n_cells, passing, undecided, uniform(key, P_SPLIT), part_of);
                else
                    memcpy(part_of, left, (size_t)n_cells * sizeof *left);
                for (int64_t j = 0; j < n_cells; j++) {
                    double n = part_of[j];
                    const int64_t cell = cell_of[j];
                    if (n <= 0.0)
                        continue;
                    double bounced = part(n, due->bad[j], key, P_BAD + 16 * cell);
                    day[HARD_BOUNCED] += bounced;
                    n -= bounced;
                    day[DELIVERED] += n;
                    if (cell >= N_FATES) {
                        day[DELAYED] += n;
                        day[DELAY_SECONDS] += n * due->age[j];
                        delays[delay_bin(due->age[j])] += n;
                    }
                }
                double over = undecided - passing;
                bucket = most(0.0, bucket - passing - rejection_cost * over);
                used = least(tolerated, used + passing + rejection_cost * over);
                if (over > 0.0) {
                    refusals += over;
                    for (int64_t j = 0; j < n_cells; j++)
                        if (cell_of[j] < N_FATES)
                            day[FIRST_TROUBLE] += left[j];
                    double rejected = part(over, excess_rejected, key, P_REJECT);
                    if (rejected > 0.0) {
                        double u = uniform(key, P_SHARE + 16 * P_REJECT);
                        share_out(left, n_cells, rejected, over, u, part_of);
                        day[BLOCKED] += rejected;
                    }
                    hurt = hurt || rejected < over;
                    day[DEFERRED + LIMIT] += over - rejected;
                    for (int64_t j = 0; j < n_cells; j++) {
                        deferred[j] += left[j];
                        if (cell_of[j] < N_FATES)
                            due->first_deferred[cell_of[j]][LIMIT] += left[j];
                    }
                }
            }

            for (int64_t j = 0; j < n_cells; j++) {
                const double total = deferred[j];
                if (total <= 0.0)
                    continue;
                const int64_t cell = cell_of[j], k = due->attempt_of[cell], group = due->group_of[cell];
                const int hopeless = cell % N_FATES == HOPELESS;
                if (k == 0)
                    day[FIRST_4XX] += total;
                for (int cause = 0; cause < (k == 0 ? DOUBT + 1 : group < n_firsts ? 1 : 2); cause++) {
                    int64_t row, to_group;
                    double n;
                    if (k == 0) {
                        n = due->first_deferred[cell][cause];
                        row = cause;
                        to_group = cause == GREYLISTING ? n_firsts : class_of_cause[cause];
                    } else {
                        row = N_CAUSES - 1 + k;
                        to_group = group;
                        if (group < n_firsts)
                            n = cause == 0 ? total : 0.0;
                        else if (cause == 0)
                            n = again[j];
                        else {
                            n = total - again[j];
                            to_group = grey_class;
                        }
                    }
                    if (n <= 0.0)
                        continue;
                    if (k + 1 >= attempts[to_group == n_firsts ? grey_class : to_group]) {
                        day[EXPIRED] += n;
                        continue;
                    }
                    const int64_t next_cell = (k + 1) * n_classes + to_group * N_FATES + cell % N_FATES;
                    int64_t n_parts = 1, o = 0;
                    double u = 0.0, before = 0.0;
                    if (wait_n[row] > 1) {
                        u = uniform(key, P_WAIT + 16 * (cell * 8 + cause));
                        n_parts = n <= few ? (int64_t)n : hopeless ? 1 : (int64_t)least(n, MOST_PARTS);
                    }
                    const double start = k == 0 ? due->age[j] : due->start[j];
                    const double v = n_parts > 1 ? uniform(key, P_WAIT + 16 * (cell * 8 + 6)) : 0.0;
                    for (int64_t number = 0; number < n_parts; number++) {
                        double until = n, quantile = ((double)number + u) / (double)n_parts;
                        if (number < n_parts - 1)
                            until = floor(n * (double)(number + 1) / (double)n_parts + v);
                        if (n <= few) {
                            quantile = uniform(key, P_ONE + 16 * (cell * 128 + cause * 8 + number));
                            o = 0;
                        }
                        while (o < wait_n[row] - 1 && wait_share[row * width + o] <= quantile)
                            o++;
                        int64_t offset = wait_first[row] + o;
                        const double waited = wait_seconds[row * width + o];
                        if (hopeless) {
                            int64_t half = offset / 2 > 1 ? offset / 2 : 1;
                            int64_t step = coarse < half ? coarse : half, beyond = (now + offset) % step;
                            double up = uniform(key, P_WAIT + 16 * (cell * 8 + 7)) * (double)step;
                            offset += up < (double)beyond ? step - beyond : -beyond;
                        }
                        double moved = until - before;
                        before = until;
                        if (moved > 0.0) {
                            const int64_t later = at + offset < length ? at + offset : at + offset - length;
                            put(q, later, next_cell, moved, due->age[j] + waited, start, due->bad[j]);
                        }
                    }
                }
            }
        }

        if (penalty_waits && refusals > 0.02 * tolerated) {
            penalty_waits = 0;
            closed_until = (double)(now + 1) + penalty_slots;
        }
        if (hurt && pause_slots > 0)
            rest_until = now + 1 + pause_slots;
    }
    limiter->bucket = bucket;
    limiter->closed_until = closed_until;
    limiter->rest_until = rest_until;
    limiter->trouble = trouble;
}

/* --- the days */

static double stage(const double *stages, int64_t n_stages, double pointer)
{
    if (pointer < 0.0)
        return most(1.0, stages[0] / pow(2.0, -pointer));
    int64_t low = (int64_t)pointer;
    if (low >= n_stages - 1)
        return stages[n_stages - 1];
    double x = pointer - (double)low;
    return x == 0.0 ? stages[low] : pow(stages[low], 1.0 - x) * pow(stages[low + 1], x);
}

static double todays_volume(const Inputs *in, int64_t p, int64_t d, double *mind, double *backlog, double *day)
{
    const int64_t n_days = in->n_days;
    const double demand = in->demand[p * n_days + d];
    double wanted = demand, volume = in->volume[p * n_days + d];
    if (demand > 0.0 && in->overflow == SPREAD)
        wanted = most(demand, least(in->target[p], demand + *backlog));
    else if (demand > 0.0 && in->overflow == HOLD)
        wanted = demand + *backlog;
    if (in->n_reaction > 0 && volume > 0.0) {
        if (mind[RESTING] > 0.0) {
            mind[RESTING] -= 1.0;
            volume = 0.0;
        } else {
            double now = stage(in->stage_volume + p * n_days, in->n_stages[p], mind[POINTER]);
            volume = least(now, least(wanted, in->ceiling[p * n_days + d]));
        }
    }
    volume = floor(volume + HALF);
    day[INJECTED] = volume;
    if (demand > 0.0)
        *backlog = most(0.0, *backlog + demand - volume);
    day[OVERFLOWN] = in->overflow == SKIP ? most(0.0, demand - volume) : *backlog;
    return volume;
}

static double todays_rates(const Inputs *in, int64_t p, int64_t d, const double *mind, double volume,
                           double *peaks, double *complaint_rate)
{
    const int64_t n_segments = in->n_segments;
    int64_t low = d, high = d;
    double between = 0.0, bad = 0.0;
    if (in->n_reaction > 0) {
        int64_t last = in->n_stages[p] - 1;
        double position = least(most(mind[POINTER], 0.0), (double)last);
        int64_t next = (int64_t)position + 1;
        low = in->stage_day[p * in->n_days + (int64_t)position];
        high = in->stage_day[p * in->n_days + (next < last ? next : last)];
        between = position - (double)(int64_t)position;
    }
    *complaint_rate = 0.0;
    for (int64_t g = 0; g < n_segments; g++) {
        double a = in->mix[(p * in->n_days + low) * n_segments + g];
        double b = in->mix[(p * in->n_days + high) * n_segments + g];
        double share = (1.0 - between) * a + between * b;
        double first_contacts = in->transactional ? volume * share : most(0.0, volume * share - peaks[g]);
        peaks[g] = most(peaks[g], volume * share);
        bad += first_contacts * in->hard_bounce_rate[p * n_segments + g];
        *complaint_rate += share * in->complaint_rate[p * n_segments + g];
    }
    return bad / volume;
}

static void react(const double *r, int64_t n_stages, double share, double troubled, int blocked, double *mind)
{
    if (!blocked && !(share > r[0] && troubled >= r[1])) {
        mind[GOOD_POINTER] = mind[POINTER];
        mind[ANY_GOOD] = 1.0;
        mind[POINTER] = least((double)n_stages - 1.0, mind[POINTER] + mind[STEP]);
        mind[STEP] = least(1.0, r[5] * mind[STEP]);
        return;
    }
    if (mind[ANY_GOOD] == 0.0)
        mind[POINTER] -= 1.0;
    else {
        if (blocked || share > r[2])
            mind[GOOD_POINTER] -= r[3];
        mind[POINTER] = mind[GOOD_POINTER];
    }
    mind[STEP] *= r[4];
    if (blocked)
        mind[RESTING] = r[6];
}

static double rate_strain(double events, double trials, double limit)
{
    double rate = (events + 0.5 * 2000.0 * limit) / (trials + 2000.0);
    return least(2.0, most(0.0, rate / limit - 1.0));
}

static void provider(const Inputs *in, int64_t s, int64_t p, double *out, double *delays, Queue *q, Due *due,
                     double *held, double *peaks)
{
    const int64_t n_days = in->n_days, n_pairs = in->n_scenarios * in->n_providers;
    double w[N_WORLD];
    for (int64_t k = 0; k < N_WORLD; k++)
        w[k] = in->world[(s * N_WORLD + k) * in->n_providers + p];
    Limiter limiter = {-1.0, -1.0, 0, 0, 0};
    double mind[5] = {0.0, 1.0, 0.0, 0.0, 0.0}, backlog = 0.0, last_seven[7] = {0};
    double complaints = 0.0, bounces = 0.0, delivered = 0.0, complaint_rate = 0.0;
    double reputation = 1.0, queued = 0.0, active_days = 0.0, established = w[W_ESTABLISHED];
    clear(q, in->ring_slots);
    memset(peaks, 0, (size_t)in->n_segments * sizeof *peaks);

    for (int64_t d = 0; d < n_days; d++) {
        double day[N_ROWS] = {0};
        double fading = 0.2 + (1.0 - 0.2) / (1.0 + established / w[W_FADES_AT]);
        double headroom = w[W_COLD] + (w[W_JUMP] - 1.0) * established * fading;
        Today today = {.tolerated = established + reputation * w[W_AUTH] * headroom};
        day[REPUTATION] = reputation;
        day[ALLOWANCE] = today.tolerated;
        day[ESTABLISHED] = established;
        today.volume = todays_volume(in, p, d, mind, &backlog, day);
        held[d] = in->demand[p * n_days + d];
        if (today.volume > 0.0)
            today.bad_share = todays_rates(in, p, d, mind, today.volume, peaks, &complaint_rate);
        const int by_reputation = reputation < w[W_BLOCK_BELOW];
        today.doubt = (1.0 - reputation) * (1.0 - reputation);
        today.greylisting = w[W_GREYLISTING_PROBABILITY] * exp(-w[W_GREYLISTING_FADE] * active_days);
        today.blocks = by_reputation || d < in->opens[p];
        slots(in, s, p, d, w, &today, &limiter, held, q, due, day, delays);

        queued += day[INJECTED] - day[DELIVERED] - day[HARD_BOUNCED] - day[BLOCKED] - day[EXPIRED];
        day[QUEUED] = most(0.0, queued);
        for (int64_t row = 0; row < N_ROWS; row++)
            out[(row * n_pairs + s * in->n_providers + p) * n_days + d] = day[row];
        double excess = most(0.0, today.volume - today.tolerated) / most(today.volume, 1e-9);
        last_seven[d % 7] = day[DELIVERED];
        double peak = 0.0;
        for (int i = 0; i < 7; i++)
            peak = most(peak, last_seven[i]);
        double risen = 0.35 * (1.0 - excess) * most(day[DELIVERED] - established, 0.0);
        established = established + risen - w[W_IDLE_DECAY] * most(established - peak, 0.0);
        complaints = complaints * (6.0 / 7.0) + day[DELIVERED] * complaint_rate;
        bounces = bounces * (6.0 / 7.0) + day[HARD_BOUNCED];
        delivered = delivered * (6.0 / 7.0) + day[DELIVERED];
        double strain = rate_strain(complaints, delivered, w[W_COMPLAINT_LIMIT])
                        + rate_strain(bounces, delivered + bounces, w[W_HARD_BOUNCE_LIMIT])
                        + least(1.0, most(0.0, excess / w[W_EXCESS_LIMIT] - 1.0));
        reputation = reputation + w[W_REPUTATION_RECOVERY] * (1.0 - reputation)
                     - w[W_REPUTATION_SENSITIVITY] * strain;
        reputation = least(1.0, most(0.05, reputation));
        if (day[DELIVERED] >= 0.5)
            active_days += 1.0;

        double share = today.volume > 0.0 ? least(1.0, day[FIRST_TROUBLE] / today.volume) : 0.0;
        if (in->n_reaction > 0 && today.volume > 0.0)
            react(in->reaction, in->n_stages[p], share, day[FIRST_TROUBLE],
                  by_reputation && day[BLOCKED] > 0.0, mind);
    }
}

/* Simulate scenarios first..last-1; returns 0, or 1 where memory is short. */
int run_chunk(int64_t first, int64_t last, const Inputs *in, double *out, double *delays)
{
    const size_t n_classes = (size_t)(in->n_firsts + 1) * N_FATES, n_cells = (size_t)in->n_ages * n_classes;
    const size_t ring = (size_t)in->ring_slots, n_all = ring * n_cells, n_days = (size_t)in->n_days;
    double *numbers = calloc(4 * n_all + 7 * n_cells + n_days + (size_t)in->n_segments, sizeof *numbers);
    int64_t *indices = calloc(ring + 3 * n_cells, sizeof *indices);
    int32_t *cells = calloc(n_all, sizeof *cells);
    const int short_of_memory = !numbers || !indices || !cells;
    if (!short_of_memory) {
        Queue q = {(int64_t)n_cells, numbers, numbers + n_all, numbers + 2 * n_all, numbers + 3 * n_all, cells,
                   indices};
        double *of_due = numbers + 4 * n_all, *held = of_due + 7 * n_cells;
        Due due = {indices + ring, of_due, of_due + n_cells, of_due + 2 * n_cells, of_due + 3 * n_cells,
                   of_due + 4 * n_cells, of_due + 5 * n_cells, of_due + 6 * n_cells,
                   indices + ring + n_cells, indices + ring + 2 * n_cells, {{0}}};
        for (size_t cell = 0; cell < n_cells; cell++) {
            due.attempt_of[cell] = (int64_t)(cell / n_classes);
            due.group_of[cell] = (int64_t)(cell % n_classes / N_FATES);
        }
        for (int64_t s = first; s < last; s++)
            for (int64_t p = 0; p < in->n_providers; p++) {
                double *own = delays + (s * in->n_providers + p) * N_DELAY_BINS;
                provider(in, s, p, out, own, &q, &due, held, held + n_days);
            }
    }
    free(numbers);
    free(indices);
    free(cells);
    return short_of_memory;
}
