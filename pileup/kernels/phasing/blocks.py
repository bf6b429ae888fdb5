"""Phase heterozygous sites by the fragments over them: which allele of each is on which haplotype.

A fragment's balance is the sum of its votes, each turned by the side of its site: the larger it
is, either way, the better one haplotype explains the fragment. The sides sought have the greatest
sum of all fragments' balances, regardless of sign: the weighted minimum error correction of
whatshap (Patterson et al. 2015, doi:10.1089/cmb.2014.0157): sites are laid out from left to right,
then single sites, and all sites beyond a place, are turned for as long as that sum grows.
"""

import numpy as np

from pileup.accelerate import kernel, part

# What one fragment can say of a site, or of a place between two: more than this, phred, is more
# than that it is of one molecule, mapped where it belongs.
MOST_OF_A_FRAGMENT = 40
# What a site or a place must be sure of, phred: one fragment with good bases suffices.
LEAST_MARGIN = 10
# What speaks against it may be a quarter of all that is said.
AGAINST = 4


@kernel
def number_fragments(name, start, reach, fragment):
    """Number the fragments (int64 [v]) of votes, sorted by name and then by start.

    Votes of one name are of one fragment if each starts no further than one before it may reach.
    """
    number = -1
    furthest = np.int64(0)
    for vote in range(len(name)):
        if vote == 0 or name[vote] != name[vote - 1] or start[vote] > furthest:
            number += 1
            furthest = reach[vote]
        furthest = max(furthest, reach[vote])
        fragment[vote] = number


@part
def _root(label, site):
    while label[site] != site:
        label[site] = label[label[site]]
        site = label[site]
    return site


@kernel
def find_components(fragment, site, label):
    """Label each site (int64 [s]) with the first of those that fragments link to it.

    Votes are sorted by fragment.
    """
    for number in range(len(label)):
        label[number] = number
    for vote in range(1, len(fragment)):
        if fragment[vote] == fragment[vote - 1]:
            one = _root(label, site[vote - 1])
            other = _root(label, site[vote])
            label[max(one, other)] = min(one, other)
    for number in range(len(label)):
        label[number] = _root(label, number)


@part
def _lay_out(votes, first, last, side, balance):
    """Give each site in [first, last) the side that fragments of the sites before it speak for."""
    for site in range(first, last):
        lead = 0
        for index in range(votes.site_offset[site], votes.site_offset[site + 1]):
            vote = votes.by_site[index]
            weight = votes.weight[vote]
            known = balance[votes.fragment[vote]]
            support = min(abs(known), abs(weight))
            lead += support if (known > 0) == (weight > 0) else -support
        side[site] = 1 if lead >= 0 else -1
        for index in range(votes.site_offset[site], votes.site_offset[site + 1]):
            vote = votes.by_site[index]
            balance[votes.fragment[vote]] += side[site] * votes.weight[vote]


@part
def _turn_sites(votes, first, last, side, balance):
    """Turn single sites where that explains the fragments better; return whether any was turned."""
    turned = False
    for site in range(first, last):
        gain = 0
        for index in range(votes.site_offset[site], votes.site_offset[site + 1]):
            vote = votes.by_site[index]
            known = balance[votes.fragment[vote]]
            gain += abs(known - 2 * side[site] * votes.weight[vote]) - abs(known)
        if gain > 0:
            turned = True
            for index in range(votes.site_offset[site], votes.site_offset[site + 1]):
                vote = votes.by_site[index]
                balance[votes.fragment[vote]] -= 2 * side[site] * votes.weight[vote]
            side[site] = -side[site]
    return turned


@part
def _weigh_places(votes, first, last, fragments, side, balance, most, pro, con):
    """Fill what speaks for the sides of the sites before each site and from it on, and against."""
    for site in range(first, last + 1):
        pro[site] = 0
        con[site] = 0
    for fragment in range(fragments[0], fragments[1]):
        left = 0
        for vote in range(votes.offset[fragment], votes.offset[fragment + 1] - 1):
            left += side[votes.site[vote]] * votes.weight[vote]
            right = balance[fragment] - left
            support = min(abs(left), abs(right), most)
            if (left > 0) == (right > 0):
                pro[votes.site[vote] + 1] += support
                pro[votes.site[vote + 1] + 1] -= support
            else:
                con[votes.site[vote] + 1] += support
                con[votes.site[vote + 1] + 1] -= support
    for site in range(first + 1, last):
        pro[site] += pro[site - 1]
        con[site] += con[site - 1]


@part
def _turn_rest(votes, first, last, fragments, side, balance, pro, con):
    """Turn all sites from the worst place on, if that explains the fragments better."""
    unlimited = np.iinfo(np.int64).max
    _weigh_places(votes, first, last, fragments, side, balance, unlimited, pro, con)
    worst = -1
    for site in range(first + 1, last):
        if pro[site] < con[site]:
            if worst < 0 or pro[site] - con[site] < pro[worst] - con[worst]:
                worst = site
    if worst < 0:
        return False
    for site in range(worst, last):
        side[site] = -side[site]
    _balance(votes, fragments, side, balance)
    return True


@part
def _balance(votes, fragments, side, balance):
    for fragment in range(fragments[0], fragments[1]):
        balance[fragment] = 0
        for vote in range(votes.offset[fragment], votes.offset[fragment + 1]):
            balance[fragment] += side[votes.site[vote]] * votes.weight[vote]


@part
def _improve(votes, first, last, fragments, side, balance, pro, con):
    """Turn sites until nothing explains the fragments better; the sum of balances only grows."""
    improved = True
    while improved:
        improved = _turn_sites(votes, first, last, side, balance)
        improved |= _turn_rest(votes, first, last, fragments, side, balance, pro, con)


@part
def is_sure(pro, con):
    """Return whether what speaks for something outweighs what speaks against it."""
    return pro - con >= LEAST_MARGIN and AGAINST * con <= pro + con


@part
def _leave_out(votes, first, last, side, balance, kept):
    """Leave doubtful sites out, with their votes; return whether there were any."""
    for site in range(first, last):
        pro = 0
        con = 0
        for index in range(votes.site_offset[site], votes.site_offset[site + 1]):
            vote = votes.by_site[index]
            own = side[site] * votes.weight[vote]
            others = balance[votes.fragment[vote]] - own
            support = min(abs(own), abs(others), MOST_OF_A_FRAGMENT)
            if (own > 0) == (others > 0):
                pro += support
            else:
                con += support
        kept[site] = is_sure(pro, con)
    left_out = False
    for site in range(first, last):
        if not kept[site]:
            left_out = True
            for index in range(votes.site_offset[site], votes.site_offset[site + 1]):
                votes.weight[votes.by_site[index]] = 0
    return left_out


@part
def _cut_blocks(first, last, pro, con, kept, block):
    """Cut the sites into blocks where what links them is doubtful."""
    start = -1
    for site in range(first, last):
        block[site] = -1
        if not kept[site]:
            continue
        if start < 0 or not is_sure(pro[site], con[site]):
            start = site
        else:
            block[start] = start
            block[site] = start


@kernel
def phase_sites(votes, first_site, first_fragment, side, block):
    """Phase the sites of each of c components.

    Parameters
    ----------
    votes
        Those of sites that are left out are set to 0.
    first_site, first_fragment
        int64 [c + 1], where the sites and the fragments of each begin.
    side
        int64 [s], filled: 1 where haplotype 1 of the block has the site's first allele, -1 where it
        has the second.
    block
        int64 [s], filled: the first site of the block, -1 where a site is phased with no other.
    """
    balance = np.zeros(len(votes.offset) - 1, np.int64)
    pro = np.zeros(len(side) + 1, np.int64)
    con = np.zeros(len(side) + 1, np.int64)
    kept = np.zeros(len(side), np.bool_)
    for component in range(len(first_site) - 1):
        first = first_site[component]
        last = first_site[component + 1]
        fragments = first_fragment[component], first_fragment[component + 1]
        _lay_out(votes, first, last, side, balance)
        _improve(votes, first, last, fragments, side, balance, pro, con)
        if _leave_out(votes, first, last, side, balance, kept):
            _balance(votes, fragments, side, balance)
            _improve(votes, first, last, fragments, side, balance, pro, con)
        _weigh_places(votes, first, last, fragments, side, balance, MOST_OF_A_FRAGMENT, pro, con)
        _cut_blocks(first, last, pro, con, kept, block)
